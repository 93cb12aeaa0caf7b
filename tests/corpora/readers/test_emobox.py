import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import EMOBOX
from nserbench.corpora.readers import iemocap
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing, UnknownName
from nserbench.settings import Settings
from nserbench.spec import parse_spec

LABELS = {"a": "Angry", "h": "Happy", "N": "Neutral", "s": "Sad", "o": "Other"}
FOUR = ("anger", "happiness", "neutral", "sadness")
Entry: TypeAlias = dict[str, Any]


def entry(key: str, emotion: str = "a", **more: object) -> Entry:
    """Return a line as EmoBox writes it."""
    return {
        "key": key,
        "dataset": "toy",
        "wav": f"downloads/toy/{key}.wav",
        "type": "raw",
        "sample_rate": 16_000,
        "num_frame": 16_000.0,
        "task": "category",
        "length": 1.0,
        "emo": emotion,
        "channel": 1,
    } | more


def write_lines(file: Path, entries: Sequence[Entry]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.dumps(one)}\n" for one in entries))


def write_emobox(
    top: Path,
    parts: Mapping[str, Sequence[Entry]],
    speakers: Mapping[str, str],
    name: str = "toy",
    labels: Mapping[str, str] = LABELS,
) -> Path:
    """Write the lists of a corpus in EmoBox's layout, and empty audio files.

    Args:
        top: The repository.
        parts: Lines by part and fold, such as ``test_1``.
        speakers: Those of all keys.
        name: The corpus.
        labels: EmoBox's map.
    """
    folder = top / "data" / name
    for part, entries in parts.items():
        kind, fold = part.split("_")
        file = folder / f"fold_{fold}/{name}_{kind}_fold_{fold}.jsonl"
        write_lines(file, entries)
        for one in entries:
            (top / one["wav"]).parent.mkdir(parents=True, exist_ok=True)
            (top / one["wav"]).touch()
    (folder / "label_map.json").write_text(json.dumps(labels))
    (folder / "data.seg.wrd.stm").write_text(
        "".join(
            f"{key} 1 {who} 0 1.0 <id={key},lang=en,spk={who},emotion=a> a\n"
            for key, who in speakers.items()
        )
    )
    return top


def utterances(speakers: str, each: str = "ahNsahNs") -> dict[str, list[Entry]]:
    """Return each speaker's lines, one for each letter of ``each``."""
    return {
        who: [entry(f"toy-{who}-{at}", emotion) for at, emotion in enumerate(each)]
        for who in speakers
    }


def who_speaks(said: Mapping[str, Sequence[Entry]]) -> dict[str, str]:
    return {one["key"]: who for who, entries in said.items() for one in entries}


@pytest.fixture
def folded(tmp_path: Path) -> Path:
    """Return a corpus whose three folds each leave a speaker out."""
    said = utterances("XYZ")
    parts = {}
    for fold, who in enumerate("XYZ", start=1):
        parts[f"test_{fold}"] = said[who]
        parts[f"train_{fold}"] = [one for w in "XYZ" if w != who for one in said[w]]
    return write_emobox(tmp_path / "EmoBox", parts, who_speaks(said))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Return a corpus whose only test part has the speakers of its training part."""
    said = utterances("XYZ")
    parts = {
        "train_1": [one for entries in said.values() for one in entries[:6]],
        "test_1": [one for entries in said.values() for one in entries[6:]],
    }
    return write_emobox(tmp_path / "EmoBox", parts, who_speaks(said))


def read(folder: Path | None, spec: str = "emobox:toy", **paths: Path) -> Corpus:
    known = paths if folder is None else {"emobox": folder, **paths}
    options = bind(EMOBOX, parse_spec(spec)).options
    settings = Settings(
        paths={key.replace("_", "-"): path for key, path in known.items()},
        environment={},
    )
    return EMOBOX.read(options, settings)


def refusal(folder: Path, spec: str = "emobox:toy") -> str:
    with pytest.raises(BadCorpus) as caught:
        read(folder, spec)
    return str(caught.value)


def listed(test_data: Path, name: str) -> list[dict[str, str]]:
    with (test_data / f"meta/{name}/emobox_{name}.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_each_fold_is_the_test_part_of_one_of_emobox(folded: Path) -> None:
    corpus = read(folded)

    assert corpus.folds == ("1", "2", "3")
    assert corpus.tested == ()
    assert corpus.unit == "speaker"
    assert {(one.fold, one.speaker) for one in corpus.utterances} == {
        ("1", "X"),
        ("2", "Y"),
        ("3", "Z"),
    }
    assert [split.sizes for split in make_splits(corpus)] == [
        {"train": 16, "test": 8}
    ] * 3


def test_a_single_fold_is_trained_on_and_tested_in_its_parts(tmp_path: Path) -> None:
    said = utterances("XYZ")
    parts = {"train_1": said["X"], "valid_1": said["Y"], "test_1": said["Z"]}
    folder = write_emobox(tmp_path, parts, who_speaks(said))

    corpus = read(folder)

    (split,) = make_splits(corpus)
    assert split.fold == "test"
    assert {corpus.utterances[at].speaker for at in split.train} == {"X", "Y"}
    assert {corpus.utterances[at].speaker for at in split.test} == {"Z"}


def test_a_line_says_file_emotion_and_times(tmp_path: Path) -> None:
    said = {"X": [entry("toy-1", "N", start_time=0.5, end_time=2, channel=3)]}
    parts = {"train_1": said["X"], "test_1": [entry("toy-2", "N")]}
    folder = write_emobox(
        tmp_path, parts, who_speaks(said) | {"toy-2": "Y", "toy-3": "Y"}
    )

    utterance, _ = read(folder).utterances

    assert utterance.id == "toy-1"
    assert utterance.path == folder / "downloads/toy/toy-1.wav"
    assert (utterance.label, utterance.speaker) == ("neutral", "X")
    assert (utterance.start, utterance.end) == (0.5, 2)
    assert utterance.channel == "centre"


def test_classes_are_those_of_the_map_of_labels(folded: Path) -> None:
    file = folded / "data/toy/label_map.json"
    file.write_text(json.dumps({**LABELS, "a": "Amused", "s": "pain, groan"}))

    assert read(folded).classes == ("amused", "happiness", "neutral", "pain")


def test_labels_are_found_in_any_capitals(folded: Path) -> None:
    file = folded / "data/toy/label_map.json"
    file.write_text(
        json.dumps({"A": "Angry", "H": "Happy", "n": "Neutral", "S": "Sad"})
    )

    assert read(folded).classes == FOUR


def test_what_is_no_emotion_is_no_class(tmp_path: Path) -> None:
    said = utterances("XY", "ahNso")
    folder = write_emobox(
        tmp_path, {"train_1": said["X"], "test_1": said["Y"]}, who_speaks(said)
    )

    corpus = read(folder)

    assert corpus.classes == FOUR
    assert len(corpus.utterances) == 8


def test_four_classes_are_taken_where_a_corpus_has_them(tmp_path: Path) -> None:
    said = utterances("XY", "ahNsf")
    labels = {**LABELS, "f": "Fear"}
    parts = {"train_1": said["X"], "test_1": said["Y"]}
    folder = write_emobox(tmp_path, parts, who_speaks(said), labels=labels)

    assert read(folder, "emobox:toy").classes == (*FOUR[:1], "fear", *FOUR[1:])
    assert read(folder, "emobox:toy,classes=paper").classes == FOUR


def test_four_classes_are_refused_where_a_corpus_lacks_one(tmp_path: Path) -> None:
    said = utterances("XY", "aN")
    parts = {"train_1": said["X"], "test_1": said["Y"]}
    folder = write_emobox(tmp_path, parts, who_speaks(said))

    assert "toy has no happiness, no sadness" in refusal(
        folder, "emobox:toy,classes=paper"
    )


@pytest.mark.parametrize("below", ["", "data"])
def test_the_repository_or_its_data_may_be_set(folded: Path, below: str) -> None:
    assert len(read(folded / below).utterances) == 24


def test_audio_may_lie_elsewhere(folded: Path, tmp_path: Path) -> None:
    (folded / "downloads").rename(tmp_path / "downloads")

    corpus = read(folded, emobox_audio=tmp_path)

    assert corpus.utterances[0].path.is_relative_to(tmp_path / "downloads")
    assert "set NSERBENCH_EMOBOX_AUDIO to the folder" in refusal(folded)


def test_folds_that_share_speakers_are_refused_with_the_alternatives(
    mixed: Path,
) -> None:
    said = refusal(mixed)

    assert said.startswith(
        "EmoBox's folds of toy have 3 speakers in both training and test sets: "
        "X, Y, Z\n"
    )
    assert "emobox:toy,folds=speakers" in said
    assert "emobox:toy,unit=utterance" in said


def test_a_validation_part_may_not_share_speakers_with_the_test(tmp_path: Path) -> None:
    said = utterances("XY")
    parts = {"train_1": said["X"], "valid_1": said["Y"][:4], "test_1": said["Y"][4:]}
    folder = write_emobox(tmp_path, parts, who_speaks(said))

    assert "1 speakers in both training and test sets: Y" in refusal(folder)


def test_speakers_shared_by_parts_that_both_train_do_not_matter(tmp_path: Path) -> None:
    said = utterances("XY")
    parts = {"train_1": said["X"][:4], "valid_1": said["X"][4:], "test_1": said["Y"]}
    folder = write_emobox(tmp_path, parts, who_speaks(said))

    assert len(make_splits(read(folder))) == 1


def test_cross_validation_may_not_share_speakers(folded: Path) -> None:
    folder = folded / "data/toy"
    said = utterances("XYZ")
    for fold in "123":
        entries = [said[who][at] for who in "XYZ" for at in range(int(fold), 8, 3)]
        write_lines(folder / f"fold_{fold}/toy_test_fold_{fold}.jsonl", entries)

    assert "3 speakers in both training and test sets" in refusal(folded)


def test_folds_can_be_split_by_speaker_instead(mixed: Path) -> None:
    corpus = read(mixed, "emobox:toy,folds=speakers")

    assert corpus.folds == ("X", "Y", "Z")
    assert len(make_splits(corpus)) == 3
    assert (corpus.unit, corpus.edition) == ("speaker", "")


def test_shared_folds_can_be_taken_as_they_are_and_say_so(mixed: Path) -> None:
    corpus = read(mixed, "emobox:toy,unit=utterance")

    (split,) = make_splits(corpus)
    assert split.sizes == {"train": 18, "test": 6}
    assert (corpus.unit, corpus.edition) == ("utterance", "3 speakers on both sides")
    bound = bind(EMOBOX, parse_spec("emobox:toy,unit=utterance"))
    assert bound.label == "emobox:name=toy,unit=utterance"


@pytest.mark.parametrize("known", [False, True])
def test_a_corpus_whose_speakers_emobox_does_not_know_is_no_corpus_of_speakers(
    mixed: Path, known: bool
) -> None:
    file = mixed / "data/toy/data.seg.wrd.stm"
    if known:  # EmoBox then takes each recording for a speaker
        keys = who_speaks(utterances("XYZ"))
        lines = [f"{key} <id={key},lang=en,spk={key},emotion=a> a" for key in keys]
        file.write_text("\n".join(lines))
    else:
        file.unlink()

    corpus = read(mixed, "emobox:toy,unit=utterance")

    assert corpus.edition == "speakers unknown"
    assert "does not list the speakers of toy" in refusal(mixed)
    assert "does not list the speakers of toy" in refusal(
        mixed, "emobox:toy,unit=utterance,folds=speakers"
    )


def test_a_speaker_that_stands_as_a_path_is_its_last_part(folded: Path) -> None:
    file = folded / "data/toy/data.seg.wrd.stm"
    file.write_text(file.read_text().replace("spk=", "spk=downloads/J L/(wav)/"))

    assert {one.speaker for one in read(folded).utterances} == {"X", "Y", "Z"}


def drop_a_fold(folder: Path) -> None:
    (folder / "fold_2").rename(folder / "old_2")


def empty_a_list(folder: Path) -> None:
    (folder / "fold_2/toy_test_fold_2.jsonl").write_text("")


def lose_a_list(folder: Path) -> None:
    (folder / "fold_2/toy_test_fold_2.jsonl").unlink()


def lose_a_speaker(folder: Path) -> None:
    file = folder / "data.seg.wrd.stm"
    file.write_text(file.read_text().split("\n", 1)[1])


def spoil_the_map(folder: Path) -> None:
    (folder / "label_map.json").write_text('{"a": 1}')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop_a_fold, "has the folds 1, 3, not all from 1 on"),
        (empty_a_list, "toy_test_fold_2.jsonl is empty"),
        (lose_a_list, "toy_test_fold_2.jsonl cannot be read: No such file"),
        (lose_a_speaker, "does not list the speaker of toy-X-0"),
        (spoil_the_map, "label_map.json does not map labels to emotions"),
    ],
)
def test_an_incomplete_copy_is_refused(folded: Path, spoil: Any, said: str) -> None:
    spoil(folded / "data/toy")

    assert said in refusal(folded)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nothing", "not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps(entry("k") | {"wav": None}), "'wav' is missing or not text"),
        (json.dumps(entry("k") | {"key": " "}), "'key' is missing or not text"),
        (json.dumps(entry("k\ud800")), "'key' is missing or not text"),
        (json.dumps(entry("k", "?")), "the emotion '?' is not in the map of labels"),
        (json.dumps(entry("k", channel=2)), "the channel is 2, not 1 or 3"),
        (
            json.dumps(entry("k", start_time=2.0, end_time=1.0)),
            "2.0 to 1.0 s are not times in a file",
        ),
        (
            json.dumps(entry("k", start_time=2.0)),
            "2.0 to None s are not times in a file",
        ),
    ],
)
def test_a_bad_line_is_refused_by_file_and_line(
    folded: Path, line: str, said: str
) -> None:
    file = folded / "data/toy/fold_2/toy_test_fold_2.jsonl"
    first, *_ = file.read_text().splitlines()
    file.write_text(f"{first}\n\n{line}\n")

    assert f"{file}, line 3: {said}" in refusal(folded)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=60)
@given(
    line=st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["key", "wav", "emo", "channel", "start_time", "end_time"]),
        VALUES,
    ).map(lambda change: json.dumps(entry("toy-Z-0") | change).encode())
)
def test_any_line_is_read_or_refused_by_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, line: bytes
) -> None:
    said = utterances("XYZ", "aN")
    parts = {f"test_{at}": said[who] for at, who in enumerate("XYZ", start=1)}
    folder = write_emobox(tmp_path_factory.mktemp("any"), parts, who_speaks(said))
    (folder / "data/toy/fold_3/toy_test_fold_3.jsonl").write_bytes(line)

    try:
        read(folder)
    except BadCorpus as error:
        problem = str(error)
    else:
        problem = "toy_test_fold_3.jsonl"
    assert any(
        known in problem
        for known in (
            "toy_test_fold_3.jsonl",
            "audio files of EmoBox's lists are missing",
            "does not list the speaker",
            "ids are there more than once",
        )
    )


def test_a_corpus_that_emobox_lacks_is_answered_with_those_it_has(folded: Path) -> None:
    with pytest.raises(UnknownName, match="known: toy"):
        read(folded, "emobox:../toy")


def test_a_noise_after_the_name_is_answered_with_the_right_form(folded: Path) -> None:
    with pytest.raises(UnknownName, match="before the colon: emobox-pink:toy"):
        read(folded, "emobox:toy-pink")


def test_no_name_is_answered_with_what_it_is_for(folded: Path) -> None:
    with pytest.raises(BadSpec, match="emobox needs the option name="):
        read(folded, "emobox")


def test_another_folder_is_answered_with_the_way_to_get_emobox(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing) as caught:
        read(tmp_path)

    assert str(caught.value).endswith(EMOBOX.obtain)
    with pytest.raises(CorpusMissing, match="NSERBENCH_EMOBOX is not set"):
        read(None)


def test_published_list_of_casia_is_read_completely(
    tmp_path: Path, test_data: Path
) -> None:
    folds: dict[str, list[Entry]] = defaultdict(list)
    for row in listed(test_data, "casia"):
        folds[row["wav"].split("/")[-3]].append(row | {"channel": int(row["channel"])})
    parts = {f"test_{at}": folds[who] for at, who in enumerate(folds, start=1)}
    labels = json.loads((test_data / "meta/casia/label_map.json").read_text())
    write_emobox(tmp_path, parts, who_speaks(folds), "casia", labels)

    corpus = read(tmp_path, "emobox:casia")

    counts = Counter((one.speaker, one.label) for one in corpus.utterances)
    assert len(counts) == 4 * 6
    assert set(counts.values()) == {50}
    assert {one.language for one in corpus.utterances} == {"zh"}
    assert len(make_splits(corpus)) == 4


def test_the_speaker_of_iemocap_is_who_speaks(tmp_path: Path, test_data: Path) -> None:
    folds: dict[str, list[Entry]] = defaultdict(list)
    speakers = {}
    for row in listed(test_data, "iemocap"):
        folds[row["key"][12]].append(row | {"channel": int(row["channel"])})
        speakers[row["key"]] = row["key"][8:14]  # EmoBox's: Ses01F, who wears markers
    parts = {f"test_{session}": entries for session, entries in folds.items()}
    labels = json.loads((test_data / "meta/iemocap/label_map.json").read_text())
    write_emobox(tmp_path, parts, speakers, "iemocap", labels)

    corpus = read(tmp_path, "emobox:iemocap")

    counts = Counter(one.speaker[3:] for one in corpus.utterances)
    (expected,) = iemocap.expected({"folds": "speakers", "parts": "all"})
    assert counts == expected.speakers
    assert Counter(one.fold for one in corpus.utterances) == {
        "1": 1085,
        "2": 1023,
        "3": 1151,
        "4": 1031,
        "5": 1241,
    }
    assert len(make_splits(read(tmp_path, "emobox:iemocap,folds=speakers"))) == 10
