"""MSP-Podcast, as made-up trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_corpora import plant, problem, read, refusal

from nserbench.benchmark.study.splits import make_splits
from nserbench.errors import BadSpec

HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
ROWS = (
    "MSP-PODCAST_0001_0008.wav,N,3.2,4.0,3.4,127,Male,Train",
    "MSP-PODCAST_0001_0019.wav,A,5.2,2.0,5.4,127,Male,Train",
    "MSP-PODCAST_0002_0033_0001.wav,H,5.2,6.0,5.4,Unknown,Unknown,Train",
    "MSP-PODCAST_0003_0001.wav,S,2.2,2.0,3.4,Unknown,Female,Train",
    "MSP-PODCAST_0004_0001.wav,X,3.2,4.0,3.4,128,Male,Train",
    "MSP-PODCAST_0004_0002.wav,O,3.2,4.0,3.4,128,Male,Train",
    "MSP-PODCAST_0004_0003.wav,U,3.2,4.0,3.4,128,Male,Train",
    "MSP-PODCAST_0005_0001.wav,N,3.2,4.0,3.4,5,Female,Development",
    "MSP-PODCAST_0006_0001.wav,N,3.2,4.0,3.4,6,Female,Test1",
    "MSP-PODCAST_0006_0002.wav,H,3.2,4.0,3.4,6,Female,Test1",
    "MSP-PODCAST_0007_0001.wav,S,3.2,4.0,3.4,7,Male,Test2",
    "MSP-PODCAST_0008_0001.wav,,,,,,,Test3",
)


def table(*rows: str) -> str:
    return "\n".join([HEADER, *rows])


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a tree with a table of labels."""

    def write(content: str = table(*ROWS), audio: str = "Audios") -> Path:
        plant(tmp_path, [f"{audio}/{row.partition(',')[0]}" for row in ROWS])
        (tmp_path / "Labels").mkdir(exist_ok=True)
        (tmp_path / "Labels/labels_consensus.csv").write_text(content)
        return tmp_path

    return write


@pytest.mark.parametrize("audio", ["Audios", "Audio"])
def test_four_emotions_are_read_in_their_sets(
    make: Callable[..., Path], audio: str
) -> None:
    corpus = read("msp-podcast", make(audio=audio))

    found = {one.id[12:]: (one.label, one.fold) for one in corpus.utterances}
    assert found == {
        "0001_0008": ("neutral", "train"),
        "0001_0019": ("anger", "train"),
        "0002_0033_0001": ("happiness", "train"),
        "0003_0001": ("sadness", "train"),
        "0005_0001": ("neutral", "development"),
        "0006_0001": ("neutral", "test1"),
        "0006_0002": ("happiness", "test1"),
    }
    (split,) = make_splits(corpus)
    names = [one.fold for one in corpus.utterances]
    assert {names[row] for row in split.test} == {"test1"}
    assert {names[row] for row in split.train} == {"train", "development"}
    assert corpus.dev == "development"


def test_other_emotions_and_test_sets_are_options(make: Callable[..., Path]) -> None:
    folder = make()

    every = read("msp-podcast", folder, "classes=all")
    second = read("msp-podcast", folder, "tested=test2+test1")

    assert "surprise" in {one.label for one in every.utterances}
    assert second.tested == ("test1", "test2")
    with pytest.raises(BadSpec, match="'dev' is none of test1, test2, test3"):
        read("msp-podcast", folder, "tested=dev")
    assert (
        "'test3' has no turn of the wanted emotions\n  its labels are not"
        in refusal("msp-podcast", folder, "tested=test3")
    )


def test_turns_of_unknown_speakers_are_one_speaker_in_each_podcast(
    make: Callable[..., Path],
) -> None:
    speakers = {one.speaker for one in read("msp-podcast", make()).utterances}

    assert speakers == {"127", "unknown in 0002", "unknown in 0003", "5", "6"}


def test_a_text_is_read_where_there_is_a_transcript(make: Callable[..., Path]) -> None:
    folder = make()
    (folder / "Transcripts").mkdir()
    (folder / "Transcripts/MSP-PODCAST_0001_0008.txt").write_text("Well,\n yes. \n")

    first, second, *_ = read("msp-podcast", folder).utterances

    assert (first.text, second.text, first.language) == ("Well, yes.", None, "en")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("speech.wav,N,,,,1,Male,Train", "'speech.wav' is not the name of a turn"),
        (f"{ROWS[0]}ing", "the set 'Training' is unknown\n  known: Train, Devel"),
        (ROWS[0].replace(",N,", ",Q,"), "the emotion 'Q' is unknown\n  known: A, C"),
        (ROWS[0].replace(",127,", ",,"), "'SpkrID' is empty"),
    ],
)
def test_a_row_that_is_not_understood_is_refused_by_line(
    make: Callable[..., Path], row: str, said: str
) -> None:
    assert f"labels_consensus.csv, line 2: {said}" in refusal(
        "msp-podcast", make(table(row, *ROWS[1:]))
    )


def test_turns_without_audio_are_refused_by_name(make: Callable[..., Path]) -> None:
    folder = make()
    (folder / "Audios/MSP-PODCAST_0001_0019.wav").unlink()

    assert refusal("msp-podcast", folder) == (
        "1 labelled turns of msp-podcast have no audio:\n  MSP-PODCAST_0001_0019\n"
        "  unpack the release again"
    )


def test_a_folder_one_level_too_high_is_recognised(make: Callable[..., Path]) -> None:
    folder = make()

    assert f"set NSERBENCH_MSP_PODCAST to {folder}" in problem(
        "msp-podcast", folder.parent, "msp-podcast"
    )


@settings(max_examples=30)
@given(content=st.binary(max_size=80) | st.text(table(ROWS[0]), max_size=80))
def test_any_table_is_read_or_refused_by_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    folder = plant(tmp_path_factory.mktemp("msp"), ["Audios/MSP-PODCAST_1_1.wav"])
    (folder / "Labels").mkdir()
    file = folder / "Labels/labels_consensus.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)

    assert "labels_consensus.csv, line " in problem(
        "msp-podcast", folder, "labels_consensus.csv, line "
    )
