import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from trees import iemocap_turns, write_iemocap

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import IEMOCAP
from nserbench.corpora.readers import iemocap
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings
from nserbench.spec import parse_spec

# Turns of each class in sessions 1 to 5, counted in three public lists that agree:
# s3prl's, EmoBox's and TRNet's.
COUNTS = {
    "neutral": (384, 362, 320, 258, 384),
    "anger": (229, 137, 240, 327, 170),
    "sadness": (194, 197, 305, 143, 245),
    "happiness": (278, 327, 286, 303, 442),
}
SMALL = {f"Ses0{number}F_impro01_F000": "neu" for number in range(1, 6)}
SHEET = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
WORDS = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
TURN = "[6.2901 - 8.2357]\tSes01F_impro01_M001\tang\t[2.5000, 2.5000, 2.5000]"
AGAIN = "unpack the release again"


def read(folder: Path | None, spec: str = "iemocap") -> Corpus:
    paths = {} if folder is None else {"iemocap": folder}
    options = bind(IEMOCAP, parse_spec(spec)).options
    return IEMOCAP.read(options, Settings(paths=paths, environment={}))


def refusal(folder: Path) -> str:
    with pytest.raises(BadCorpus) as caught:
        read(folder)
    return str(caught.value)


@pytest.fixture(scope="module")
def turns(test_data: Path) -> dict[str, str]:
    return dict(iemocap_turns(test_data))


@pytest.fixture(scope="module")
def release(
    turns: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("iemocap")
    yield write_iemocap(folder, turns)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def full(release: Path) -> Corpus:
    return read(release)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a release with one labelled turn for each session."""
    return write_iemocap(tmp_path, SMALL)


def add(file: Path, line: str) -> int:
    """Add a line to a file, and give its number."""
    content = file.read_text()
    file.write_text(content + line + "\n")
    return content.count("\n") + 1


def test_full_release_has_its_published_counts(full: Corpus) -> None:
    counts = Counter((one.label, one.fold) for one in full.utterances)

    assert len(full.utterances) == 5531
    assert counts == {
        (label, fold): count
        for label, row in COUNTS.items()
        for fold, count in zip("12345", row, strict=True)
    }


@pytest.mark.parametrize("folds", ["sessions", "speakers"])
@pytest.mark.parametrize(
    ("parts", "total"), [("all", 5531), ("improvised", 2943), ("scripted", 2588)]
)
def test_full_release_is_as_expected(
    release: Path, folds: str, parts: str, total: int
) -> None:
    corpus = read(release, f"iemocap:folds={folds},parts={parts}")

    (counts,) = iemocap.expected({"folds": folds, "parts": parts})
    assert counts.differences(corpus) == []
    assert counts.total == len(corpus.utterances) == total


@pytest.mark.parametrize(
    ("name", "emotion", "left_out"),
    [
        ("Ses01F_impro01_XX99", "xxx", []),
        ("Ses01F_impro01_XX98", "neu", ["Ses01F_impro01_XX98"]),
    ],
)
def test_a_turn_of_no_known_speaker_refuses_no_other(
    small: Path, name: str, emotion: str, left_out: list[str]
) -> None:
    add(small / SHEET, f"[6.2 - 8.2]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]")

    corpus = read(small)

    assert [one.id for one in corpus.utterances] == sorted(SMALL)
    assert [*corpus.left_out] == left_out


def test_the_parts_are_recognised_by_the_names_of_the_dialogues(release: Path) -> None:
    ids = {
        parts: {one.id for one in read(release, f"iemocap:parts={parts}").utterances}
        for parts in ("improvised", "scripted", "all")
    }

    assert all("_impro" in name for name in ids["improvised"])
    assert all("_script" in name for name in ids["scripted"])
    assert ids["improvised"] | ids["scripted"] == ids["all"]


def test_a_remark_says_that_scripted_texts_repeat_if_they_are_used(
    release: Path,
) -> None:
    said = {
        parts: read(release, f"iemocap:parts={parts}").remark
        for parts in ("improvised", "scripted", "all")
    }

    assert said["improvised"] == ""
    assert "the same scripts are read in all five sessions" in said["all"]
    assert said["scripted"] == said["all"]


def test_a_dialogue_that_is_neither_improvised_nor_scripted_is_refused(
    tmp_path: Path,
) -> None:
    release = write_iemocap(tmp_path, {"Ses01F_other01_F000": "neu"})
    for number in range(2, 6):
        write_iemocap(tmp_path, {f"Ses0{number}F_impro01_F000": "neu"})

    with pytest.raises(BadCorpus, match=r"Ses01F_other01.txt: its name does not say"):
        read(release)


def test_full_release_agrees_with_the_list_of_s3prl(
    full: Corpus, release: Path, test_data: Path
) -> None:
    names = {"neu": "neutral", "hap": "happiness", "sad": "sadness", "ang": "anger"}
    for number in range(1, 6):
        file = test_data / f"meta/iemocap/s3prl_Session{number}_test_meta_data.json"
        listed = json.loads(file.read_text())["meta_data"]

        ours = {
            one.path.relative_to(release).as_posix(): one.label
            for one in full.utterances
            if one.fold == str(number)
        }

        assert ours == {entry["path"]: names[entry["label"]] for entry in listed}


def test_a_session_is_tested_against_the_four_others(full: Corpus) -> None:
    splits = make_splits(full)

    assert [(split.fold, split.sizes) for split in splits] == [
        ("1", {"train": 4446, "test": 1085}),
        ("2", {"train": 4508, "test": 1023}),
        ("3", {"train": 4380, "test": 1151}),
        ("4", {"train": 4500, "test": 1031}),
        ("5", {"train": 4290, "test": 1241}),
    ]


def test_a_speaker_is_tested_against_the_nine_others(release: Path) -> None:
    splits = make_splits(read(release, "iemocap:folds=speakers"))

    speakers = "01F 01M 02F 02M 03F 03M 04F 04M 05F 05M"
    assert " ".join(split.fold for split in splits) == speakers
    assert [len(split.test) for split in splits] == [
        *(528, 557, 481, 542, 522),
        *(629, 528, 503, 590, 651),
    ]


@pytest.mark.parametrize("folds", ["sessions", "speakers"])
def test_no_speaker_is_in_training_and_test_set(release: Path, folds: str) -> None:
    corpus = read(release, f"iemocap:folds={folds}")

    for split in make_splits(corpus):
        train, test = (
            {corpus.utterances[place].speaker for place in part}
            for part in (split.train, split.test)
        )
        assert not train & test
        assert len(train | test) == 10


def test_every_turn_has_its_own_text(full: Corpus) -> None:
    assert all(one.text == f"Said in {one.id}: yes." for one in full.utterances)


def test_5531_turns_are_read_without_a_look_at_each_file(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []
    stat = Path.stat

    def counted(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        looks.append(path)
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", counted)

    read(release)

    assert 0 < len(looks) < 1000


def test_the_last_letter_of_a_turn_says_who_speaks(tmp_path: Path) -> None:
    turn = "Ses02F_script01_1b_M017"

    release = write_iemocap(tmp_path, SMALL | {turn: "exc"})

    (utterance,) = [one for one in read(release).utterances if one.id == turn]
    assert (utterance.speaker, utterance.fold) == ("02M", "2")
    assert utterance.label == "happiness"
    assert utterance.language == "en"
    assert utterance.path == (
        release / f"Session2/sentences/wav/Ses02F_script01_1b/{turn}.wav"
    )


def test_classes_are_in_the_order_of_the_paper(small: Path) -> None:
    assert read(small).classes == ("neutral", "happiness", "sadness", "anger")


def test_other_choices_of_folds_are_refused(small: Path) -> None:
    with pytest.raises(BadSpec, match="must be one of sessions, speakers"):
        read(small, "iemocap:folds=10")


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_other_line_ends_are_read(small: Path, end: bytes) -> None:
    for file in (small / SHEET, small / WORDS):
        file.write_bytes(file.read_bytes().replace(b"\n", end))

    (first, *_) = read(small).utterances

    assert first.text == "Said in Ses01F_impro01_F000: yes."


def test_a_turn_without_a_transcript_has_no_text(small: Path) -> None:
    (small / WORDS).unlink()

    assert [one.text is None for one in read(small).utterances] == [True] + 4 * [False]


@pytest.mark.parametrize(
    "line",
    [
        "words",
        "[6.2901 - 8.2357]",
        TURN.replace("ang", "an"),
        TURN.replace("ang", "joy"),
        TURN.replace("_M001", ""),
        TURN.replace("Ses01", "Ses06"),
        TURN.replace(", 2.5000]", ""),
        TURN[1:],
        TURN + TURN,
    ],
)
def test_a_line_that_is_no_turn_is_refused_by_its_number(
    small: Path, line: str
) -> None:
    number = add(small / SHEET, line)

    said = refusal(small)

    assert said.startswith(f"{small / SHEET}, line {number}: {line[:80]!r} is not a ")
    assert said.endswith(": neu, hap, exc, sad, ang, fru, sur, fea, dis, oth, xxx")


def test_a_transcript_that_cannot_be_read_is_refused_by_its_number(
    small: Path,
) -> None:
    number = add(small / WORDS, "Ses01F_impro01_F001 006.2901: Excuse me.")

    assert f"{small / WORDS}, line {number}: 'Ses01F_imp" in refusal(small)


@pytest.mark.parametrize("name", [SHEET, WORDS])
def test_a_line_that_is_not_utf_8_is_refused_by_its_number(
    small: Path, name: str
) -> None:
    lines = (small / name).read_bytes().count(b"\n")
    with (small / name).open("ab") as file:
        file.write(b"caf\xe9\n")

    assert refusal(small).startswith(f"{small / name}, line {lines + 1}: not UTF-8\n")


def test_a_label_file_that_cannot_be_read_is_named(small: Path) -> None:
    (small / SHEET).unlink()
    (small / SHEET).mkdir()

    assert refusal(small) == f"{small / SHEET} cannot be read: Is a directory"


def test_a_session_without_labels_is_refused(small: Path) -> None:
    (small / SHEET).write_text("")
    assert refusal(small) == f"{small / SHEET} labels no turn: {AGAIN}"

    (small / SHEET).unlink()
    folder = (small / SHEET).parent
    assert refusal(small) == f"{folder} has no label files: {AGAIN}"


def test_a_turn_that_is_labelled_twice_is_refused(small: Path) -> None:
    add(small / SHEET, TURN.replace("M001", "F000"))

    assert "'Ses01F_impro01_F000': ids must be unique" in refusal(small)


def test_missing_audio_is_named(small: Path) -> None:
    wav = small / "Session3/sentences/wav/Ses03F_impro01/Ses03F_impro01_F000.wav"
    wav.unlink()

    assert refusal(small) == (
        f"1 labelled turns of IEMOCAP have no audio:\n  {wav}\n  {AGAIN}"
    )


def test_of_much_missing_audio_the_first_20_are_named(tmp_path: Path) -> None:
    names = [f"Ses02M_impro03_F{number:03}" for number in range(30)]
    release = write_iemocap(tmp_path, SMALL | dict.fromkeys(names, "sad"))
    folder = release / "Session2/sentences/wav/Ses02M_impro03"
    shutil.rmtree(folder)

    said = refusal(release).splitlines()

    assert said[0] == "30 labelled turns of IEMOCAP have no audio:"
    assert said[1:21] == [f"  {folder / name}.wav" for name in names[:20]]
    assert said[21:] == ["  and 10 more", f"  {AGAIN}"]


def test_audio_of_unused_turns_may_be_missing(small: Path) -> None:
    for wav in small.glob("*/sentences/wav/*/*_M99?.wav"):
        wav.unlink()

    assert len(read(small).utterances) == 5


def test_a_release_without_a_session_is_refused(small: Path) -> None:
    shutil.rmtree(small / "Session4")

    assert refusal(small).startswith(
        f"IEMOCAP is incomplete: there is no {small}/Session4/dialog/EmoEvaluation\n"
    )


def missing(folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        read(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("..", "one level deeper"), ("Session2", "the folder of one session")],
)
def test_a_wrong_level_is_recognised(small: Path, wrong: str, reason: str) -> None:
    said = missing(Path(os.path.normpath(small / wrong)))

    assert said.endswith(f"it is {reason}: set NSERBENCH_IEMOCAP to {small}")


def test_a_wrong_level_is_recognised_in_the_working_folder(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small / "Session2")

    assert missing(Path()).endswith(f": set NSERBENCH_IEMOCAP to {small}")


def test_any_other_folder_is_answered_with_the_way_to_get_the_corpus(
    tmp_path: Path,
) -> None:
    assert missing(tmp_path) == (
        f"iemocap is not on this machine: {tmp_path} holds no "
        f"Session1/dialog/EmoEvaluation\n  {IEMOCAP.obtain}"
    )
    assert IEMOCAP.obtain in missing(None)


@pytest.fixture(scope="module")
def any_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_iemocap(tmp_path_factory.mktemp("any"), SMALL)


PIECES = st.text("[]0123456789.- \tSesFM_improneuang,%CA:E\r\x1c\u2028")


def changed(place: int, piece: str) -> str:
    """Return the line of a turn with a piece put into it."""
    return TURN[:place] + piece + TURN[place:]


def read_or_refused(release: Path, file: Path, content: str) -> None:
    kept = file.read_bytes()
    file.write_bytes(kept + content.encode("utf-8", "surrogatepass"))
    try:
        said = f"{len(read(release).utterances)} utterances"
    except BadCorpus as error:
        said = str(error)
    finally:
        file.write_bytes(kept)
    refused = rf"{re.escape(str(file))}, line [1-9]\d*: ."
    assert re.match(
        rf"{refused}|5 utterances|1 utterance ids stand|\d+ labelled turns", said
    )


@hypothesis_settings(derandomize=True, deadline=None)
@given(line=st.text() | st.builds(changed, st.integers(0, len(TURN)), PIECES))
@example(line=TURN)
@example(line="x" * 200_000)
@example(line="[" * 10_000)
@example(line="[1.0 - 2.0]\tSes01F_" + "_F" * 5_000)
def test_any_line_of_a_label_file_is_read_or_refused(
    any_release: Path, line: str
) -> None:
    read_or_refused(any_release, any_release / SHEET, line)


@hypothesis_settings(derandomize=True, deadline=None)
@given(line=st.text() | st.text().map(lambda text: "Ses01F_impro01_F001" + text))
@example(line="Ses01F_impro01_F001 [006.2901-008.2357]:")
@example(line="Ses" + "[" * 10_000)
def test_any_line_of_a_transcript_is_read_or_refused(
    any_release: Path, line: str
) -> None:
    read_or_refused(any_release, any_release / WORDS, line)


def test_counts_that_differ_are_named(small: Path) -> None:
    counts = PublishedCounts(
        classes={"neutral": 4, "anger": 1},
        folds=dict.fromkeys("12345", 1),
        speakers=dict.fromkeys(["01F", "02F", "03F", "04F"], 1),
    )

    assert counts.differences(read(small)) == [
        "class anger: 0 utterances, 1 expected",
        "class neutral: 5 utterances, 4 expected",
        "speaker 05F: 1 utterances, 0 expected",
    ]
