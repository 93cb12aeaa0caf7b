import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.audio import SAMPLE_RATE, read_audio
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import MELD
from nserbench.corpora.readers.meld import expected
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings
from nserbench.spec import parse_spec

# Rows of each class in the published tables, as the authors' page counts them.
COUNTS = {
    "train": {
        "anger": 1109,
        "disgust": 271,
        "fear": 268,
        "happiness": 1743,
        "neutral": 4710,
        "sadness": 683,
        "surprise": 1205,
    },
    "dev": {
        "anger": 153,
        "disgust": 22,
        "fear": 40,
        "happiness": 163,
        "neutral": 470,
        "sadness": 111,
        "surprise": 150,
    },
    "test": {
        "anger": 345,
        "disgust": 68,
        "fear": 50,
        "happiness": 402,
        "neutral": 1256,
        "sadness": 208,
        "surprise": 281,
    },
}
PAPER = ("anger", "happiness", "neutral", "sadness")
GONE = {"train_dia125_utt3", "dev_dia110_utt7"}  # both neutral

FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
SPECIAL = (
    "train/train_splits/dia125_utt3.mp4",
    "output_repeated_splits_test/dia38_utt4.mp4",
    "train/train_splits/dia0_utt0.mp4",
    "output_repeated_splits_test/dia0_utt2.mp4",
)
HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,"
    "Episode,StartTime,EndTime"
)
TIMES = '4,7,"00:20:57,256","00:21:00,049"'
FIRST = f'1,"Oh, it\u2019s you!",Ross,joy,positive,0,0,{TIMES}'
REST = [
    f"{place},Text,Ross,{emotion},negative,{place},0,{TIMES}"
    for place, emotion in enumerate(["anger", "neutral", "sadness"], start=1)
]


def read(folder: Path | None, spec: str = "meld") -> Corpus:
    paths = {} if folder is None else {"meld": folder}
    options = bind(MELD, parse_spec(spec)).options
    return MELD.read(options, Settings(paths=paths, environment={}))


def complaint(folder: Path) -> str | None:
    """Return what is said against a corpus, None if nothing is."""
    try:
        read(folder)
    except BadCorpus as error:
        return str(error)
    return None


def write_table(folder: Path, part: str, lines: Iterable[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{part}_sent_emo.csv"
    text = "".join(f"{line}\r\n" for line in (HEADER, *lines))
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return file


def put(folder: Path, clips: Iterable[str], source: Path | None = None) -> None:
    """Make clips, empty or hard links to one that has sound."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        if source is None:
            (folder / clip).touch()
        else:
            os.link(source, folder / clip)


def small(top: Path, folders: Mapping[str, str] = FOLDERS, ending: str = "mp4") -> Path:
    """Make a tree of four utterances in each part, their clips empty."""
    for part, folder in folders.items():
        write_table(top, part, [FIRST, *REST])
        put(top / folder, [f"dia{place}_utt0.{ending}" for place in range(4)])
    return top


def write_clip(path: Path, layout: str, seconds: float = 0.1) -> Path:
    """Write an AAC clip whose centre channel has twice the level of each other."""
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    tone = np.sin(np.arange(round(48_000 * seconds)) / 10).astype(np.float32)
    waves = np.stack([tone * (0.4 if name == "FC" else 0.2) for name in names])
    with av.open(path, "w") as container:
        sound = container.add_stream("aac", rate=48_000, layout=layout)
        sound.bit_rate = 96_000 * len(names)
        frame = av.AudioFrame.from_ndarray(waves, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


@pytest.fixture(scope="session")
def surround(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "surround.mp4", "5.1")


@pytest.fixture(scope="session")
def tables(test_data: Path) -> Path:
    return test_data / "meta/meld"


def table(tables: Path, part: str) -> Sequence[Mapping[str, str]]:
    file = tables / f"{part}_sent_emo.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def full(top: Path, tables: Path, source: Path) -> Path:
    """Rebuild the published tree, without the clips that are not published."""
    for part, folder in FOLDERS.items():
        (top / f"{part}_sent_emo.csv").symlink_to(tables / f"{part}_sent_emo.csv")
        names = [
            f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            for row in table(tables, part)
        ]
        there = [name for name in names if f"{part}_{name}" not in GONE]
        put(top / folder, [name + source.suffix for name in there], source)
    return top


def slice_of(tables: Path, top: Path, dialogues: Mapping[str, set[str]]) -> Path:
    """Copy the lines of some dialogues, byte for byte."""
    for part, wanted in dialogues.items():
        lines = (tables / f"{part}_sent_emo.csv").read_bytes().splitlines(True)
        kept = [
            line
            for line, row in zip(lines[1:], table(tables, part), strict=True)
            if row["Dialogue_ID"] in wanted
        ]
        (top / f"{part}_sent_emo.csv").write_bytes(b"".join([lines[0], *kept]))
    return top


def playable(classes: Sequence[str]) -> Counter[tuple[str, str]]:
    counts = Counter(
        {(part, name): COUNTS[part][name] for part in COUNTS for name in classes}
    )
    counts.subtract({(name.split("_")[0], "neutral"): 1 for name in GONE})
    return counts


@pytest.mark.parametrize("classes", ["paper", "all"])
def test_what_doctor_expects_is_what_the_tables_hold(classes: str) -> None:
    names = PAPER if classes == "paper" else tuple(COUNTS["train"])

    (mp4, wav) = expected({"classes": classes})

    counts = playable(names)
    assert (mp4.edition, wav.edition) == ("mp4", "wav")
    assert mp4.total == wav.total == (11_351 if classes == "paper" else 13_706)
    assert mp4.classes == {
        name: sum(counts[part, name] for part in COUNTS) for name in names
    }
    assert mp4.folds == {
        part: sum(counts[part, name] for name in names) for part in COUNTS
    }


def test_a_row_says_all_of_an_utterance(tmp_path: Path) -> None:
    found = {one.id: one for one in read(small(tmp_path)).utterances}

    utterance = found["train_dia0_utt0"]
    assert utterance.path == tmp_path / "train/train_splits/dia0_utt0.mp4"
    assert utterance.label == "happiness"
    assert utterance.speaker == "Ross"
    assert (utterance.fold, utterance.unit) == ("train", "train_dia0")
    assert utterance.text == "Oh, it\u2019s you!"
    assert utterance.language == "en"
    assert utterance.channel == "centre"


def test_train_and_dev_train_and_test_tests(tmp_path: Path) -> None:
    corpus = read(small(tmp_path))

    (split,) = make_splits(corpus)

    parts = {
        side: {corpus.utterances[place].fold for place in places}
        for side, places in (("train", split.train), ("test", split.test))
    }
    assert parts == {"train": {"train", "dev"}, "test": {"test"}}
    assert corpus.unit == "dialogue"


def test_downmix_can_be_asked_for(tmp_path: Path) -> None:
    utterances = read(small(tmp_path), "meld:channel=downmix").utterances

    assert {one.channel for one in utterances} == {"downmix"}


@pytest.mark.parametrize("spec", ["meld:channel=left", "meld:classes=5"])
def test_other_choices_are_refused(tmp_path: Path, spec: str) -> None:
    with pytest.raises(BadSpec, match=r"must be one of .*"):
        read(tmp_path, spec)


@pytest.mark.parametrize("ending", ["mp4", "wav"])
@pytest.mark.parametrize(
    "folders",
    [
        FOLDERS,
        {
            "train": "train_splits",
            "dev": "dev/dev_splits_complete",
            "test": "test/output_repeated_splits_test",
        },
        {"train": "train", "dev": "dev", "test": "test"},
    ],
)
def test_clips_are_found_where_people_unpack_them(
    tmp_path: Path, folders: Mapping[str, str], ending: str
) -> None:
    corpus = read(small(tmp_path, folders, ending))

    assert {one.path.parent for one in corpus.utterances} == {
        tmp_path / folder for folder in folders.values()
    }
    assert corpus.edition == ending


def test_tables_may_lie_in_the_folders_of_their_parts(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "train_sent_emo.csv").rename(tmp_path / "train/train_sent_emo.csv")

    assert len(read(tmp_path).utterances) == 12


def test_the_published_mp4_is_read_where_there_is_a_wav_too(tmp_path: Path) -> None:
    small(tmp_path)
    for folder in FOLDERS.values():
        put(tmp_path / folder, [f"dia{place}_utt0.wav" for place in range(4)])

    corpus = read(tmp_path)

    assert {one.path.suffix for one in corpus.utterances} == {".mp4"}


def test_files_that_macos_adds_are_no_clips(tmp_path: Path) -> None:
    small(tmp_path, ending="wav")
    for folder in FOLDERS.values():
        put(tmp_path / folder, [f"._dia{place}_utt0.mp4" for place in range(4)])

    corpus = read(tmp_path)

    assert {one.path.suffix for one in corpus.utterances} == {".wav"}


def test_parts_of_two_kinds_are_refused(tmp_path: Path) -> None:
    small(tmp_path)
    for clip in (tmp_path / FOLDERS["dev"]).iterdir():
        clip.rename(clip.with_suffix(".wav"))

    with pytest.raises(BadCorpus, match="train is mp4, dev is wav, test is mp4"):
        read(tmp_path)


def test_a_clip_that_was_never_published_is_excluded_and_named(tmp_path: Path) -> None:
    small(tmp_path)
    line = f"9,Hm.,Ross,neutral,neutral,125,3,{TIMES}"
    write_table(tmp_path, "train", [FIRST, *REST, line])

    corpus = read(tmp_path)

    assert len(corpus.utterances) == 12
    assert corpus.left_out == {
        "train_dia125_utt3": "the published clip is broken (declare-lab/MELD issue 39)"
    }


def test_other_missing_clips_are_named(tmp_path: Path) -> None:
    small(tmp_path)
    lines = [f"9,Hm.,Ross,neutral,neutral,7,{turn},{TIMES}" for turn in range(22)]
    write_table(tmp_path, "dev", [*lines, FIRST, *REST])

    with pytest.raises(BadCorpus) as caught:
        read(tmp_path)

    first, *named, more, advice = str(caught.value).splitlines()
    assert first == "22 of 34 clips of meld are missing"
    assert named == [f"  dev_dia7_utt{turn}" for turn in range(20)]
    assert more == "  and 2 more"
    assert advice == "  unpack the archives again"


def test_clips_of_other_classes_need_not_be_there(tmp_path: Path) -> None:
    small(tmp_path)
    line = f"9,Yuck!,Ross,disgust,negative,7,0,{TIMES}"
    write_table(tmp_path, "dev", [*REST, line])

    assert len(read(tmp_path).utterances) == 11
    with pytest.raises(BadCorpus, match="dev_dia7_utt0"):
        read(tmp_path, "meld:classes=all")


@pytest.mark.parametrize("part", FOLDERS)
def test_a_missing_table_is_named(tmp_path: Path, part: str) -> None:
    small(tmp_path)
    (tmp_path / f"{part}_sent_emo.csv").unlink()

    with pytest.raises(CorpusMissing) as caught:
        read(tmp_path)

    assert str(caught.value) == (
        f"meld is not on this machine: {tmp_path} has no {part}_sent_emo.csv, "
        f"neither itself nor in {part}\n  {MELD.obtain}"
    )


def test_a_part_without_clips_is_named(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / FOLDERS["test"]).rename(tmp_path / "elsewhere")

    with pytest.raises(CorpusMissing, match="has no clips such as dia0") as e:
        read(tmp_path)

    assert "output_repeated_splits_test, test/output_repeated_splits_test, test" in str(
        e.value
    )
    assert MELD.obtain in str(e.value)


def test_an_unset_folder_is_answered_with_the_way_to_get_it() -> None:
    with pytest.raises(CorpusMissing, match="NSERBENCH_MELD is not set"):
        read(None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            f"9,Hm.,Ross,Joy,positive,7,0,{TIMES}",
            "the emotion 'Joy' is unknown\n  known: anger",
        ),
        (f"9,Hm.,Ross,joy,positive,-7,0,{TIMES}", "'Dialogue_ID' is '-7', not a numb"),
        (f"9,Hm.,Ross,joy,positive,7,٣,{TIMES}", "'Utterance_ID' is '٣', not a number"),
        (f"9,Hm.,Ross,joy,positive,07,0,{TIMES}", "'Dialogue_ID' is '07', not a numb"),
        (f"9,Hm., ,joy,positive,7,0,{TIMES}", "'Speaker' is empty"),
        (f"9,,Ross,joy,positive,7,0,{TIMES}", "'Utterance' is empty"),
        (f"9,Oh, you,Ross,joy,positive,7,0,{TIMES}", "12 cells under 11 columns"),
        (f'9,"Hm.,Ross,joy,positive,7,0,{TIMES}', "',' expected after '\"'"),
        ("9,Hm.\udc92,Ross", "not UTF-8\n  save the file as"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(
    tmp_path: Path, line: str, problem: str
) -> None:
    small(tmp_path)
    file = write_table(tmp_path, "dev", [FIRST, line])

    with pytest.raises(BadCorpus) as caught:
        read(tmp_path)

    assert str(caught.value).startswith(f"{file}, line 3: {problem}")


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    file = small(tmp_path) / "dev_sent_emo.csv"
    file.write_text("Sr No.,Utterance,Speaker\n")

    with pytest.raises(BadCorpus, match="no columns 'Emotion', 'Dialogue_ID'"):
        read(tmp_path)


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    write_table(tmp_path, "dev", [FIRST, FIRST])

    with pytest.raises(BadCorpus, match="'dev_dia0_utt0': ids must be unique"):
        read(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("meld"))


CELLS = st.sampled_from(["", "0", "1", "joy", '"', "Ross", "\0"]) | st.text(max_size=5)


@given(line=st.text() | st.lists(CELLS, min_size=9, max_size=12).map(",".join))
@example(line='"')
@example(line="x" * 200_000)
@example(line=f"9,Hm.,Ross,joy,positive,{'9' * 5000},0,{TIMES}")
@example(line=f"9,Hm.\0,R\x85,joy,positive,0,1,{TIMES}")
def test_any_line_is_read_or_refused_with_its_place(whole: Path, line: str) -> None:
    file = write_table(whole, "dev", [FIRST, *REST, line])

    said = complaint(whole)

    places = (f"{file}, line ", "1 of ", "1 utterance ids")
    assert said is None or said.startswith(places)


def test_published_tables_give_their_published_counts(
    tmp_path: Path, tables: Path
) -> None:
    wav = tmp_path / "one.wav"
    soundfile.write(wav, np.zeros(160), SAMPLE_RATE)
    top = full(tmp_path, tables, wav)

    paper, every = read(top), read(top, "meld:classes=all")

    for corpus, classes in ((paper, PAPER), (every, tuple(COUNTS["train"]))):
        found = Counter((one.fold, one.label) for one in corpus.utterances)
        assert corpus.classes == classes
        assert found == playable(classes)
        assert set(corpus.left_out) == GONE
    assert Counter(one.fold for one in paper.utterances) == {
        "train": 8244,
        "dev": 896,
        "test": 2211,
    }
    assert len(every.utterances) == 13_708 - 2


def test_published_split_shares_actors_but_no_dialogue(
    tmp_path: Path, tables: Path, surround: Path
) -> None:
    corpus = read(full(tmp_path, tables, surround))

    (split,) = make_splits(corpus)

    trained, tested = (
        [corpus.utterances[place] for place in side]
        for side in (split.train, split.test)
    )
    assert (len(trained), len(tested)) == (9140, 2211)
    assert {"Ross", "Rachel"} <= (
        {one.speaker for one in trained} & {one.speaker for one in tested}
    )
    assert not {one.unit for one in trained} & {one.unit for one in tested}


def test_clips_are_those_of_emobox(
    tmp_path: Path, tables: Path, surround: Path
) -> None:
    with (tables / "emobox_meld.tsv").open(encoding="utf-8", newline="") as lines:
        emobox = {row["wav"]: row for row in csv.DictReader(lines, delimiter="\t")}

    corpus = read(full(tmp_path, tables, surround), "meld:classes=all")

    assert {
        f"downloads/meld/{one.path.relative_to(tmp_path).as_posix()}": one.label
        for one in corpus.utterances
    } == {name: row["emo"].replace("joy", "happiness") for name, row in emobox.items()}


def test_a_sample_with_every_irregularity_is_read_and_decoded(
    tmp_path: Path, tables: Path, surround: Path
) -> None:
    dialogues = {
        "train": {"0", "2", "125", "309"},
        "dev": {"0", "110"},
        "test": {"0", "38", "220"},
    }
    top = slice_of(tables, tmp_path, dialogues)
    for part, folder in FOLDERS.items():
        names = {
            f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            for row in table(tables, part)
            if row["Dialogue_ID"] in dialogues[part]
        } - {"dia110_utt7"}
        put(top / folder, [f"{name}.mp4" for name in names], surround)
        put(top / folder, [f"._{name}.mp4" for name in names])
    for special in SPECIAL:
        (top / special).unlink(missing_ok=True)
    (top / SPECIAL[0]).write_bytes(b"broken, as published")
    write_clip(top / SPECIAL[1], "5.1", seconds=31.0)
    write_clip(top / SPECIAL[2], "stereo")
    write_clip(top / SPECIAL[3], "mono")
    put(top / FOLDERS["test"], ["final_videos_testdia0_utt0.mp4", "dia108_utt2.mp4"])

    corpus = read(top)
    every = read(top, "meld:classes=all")

    found = {one.id: one for one in corpus.utterances}
    heard = {
        name: read_audio(one.path, one.start, one.end, one.channel)
        for name, one in found.items()
    }
    assert len(heard["test_dia38_utt4"]) > 31 * SAMPLE_RATE
    levels = {name: np.std(wave[400:1200]) for name, wave in heard.items()}
    assert levels["train_dia0_utt0"] == pytest.approx(0.2 / np.sqrt(2), rel=0.1)
    assert levels["train_dia0_utt1"] == pytest.approx(0.4 / np.sqrt(2), rel=0.1)
    assert levels["test_dia0_utt2"] == pytest.approx(0.4 / np.sqrt(2), rel=0.1)
    assert set(corpus.left_out) == set(every.left_out) == GONE
    assert found["train_dia309_utt0"].label == "happiness"
    assert "test_dia220_utt0" in {one.id for one in every.utterances} - set(found)
    assert {"train_dia0_utt1", "dev_dia0_utt0", "test_dia0_utt2"} <= set(found)
    texts = {one.id: one.text for one in every.utterances}
    assert texts["dev_dia0_utt0"] == (
        "Oh my God, he\u2019s lost it. He\u2019s totally lost it."
    )
    assert texts["test_dia0_utt1"] == (
        "Oh. That\u2019s so Monica can keep track. That way if one on them is missing, "
        "she can be like, \u2018Where\u2019s number 27?!\u2019"
    )


@pytest.mark.slow
def test_the_complete_published_tree_is_read_and_decoded(
    tmp_path: Path, tables: Path, surround: Path
) -> None:
    corpus = read(full(tmp_path, tables, surround), "meld:classes=all")

    lengths = Counter(
        len(read_audio(one.path, one.start, one.end, one.channel))
        for one in corpus.utterances
    )

    assert lengths == {round(5 * 1024 / 3): 13_706}
