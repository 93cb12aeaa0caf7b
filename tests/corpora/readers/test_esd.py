from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_corpora import esd_files, only, plant, problem, read, refusal

from nserbench.corpora.readers import esd
from nserbench.errors import BadSpec


@pytest.mark.parametrize("part", ["", "train/", "test/", "evaluation/"])
def test_esd_may_be_divided_into_its_own_parts(tmp_path: Path, part: str) -> None:
    utterance = only("esd", tmp_path, f"0015/Angry/{part}0015_000351.wav")

    assert (utterance.id, utterance.label) == ("0015_000351", "anger")
    assert (utterance.speaker, utterance.fold) == ("0015", "1")
    assert (utterance.text, utterance.language) == (None, "en")


def test_esd_is_one_language_at_a_time(tmp_path: Path) -> None:
    folder = plant(tmp_path, [*esd_files((4, 11))])

    english, mandarin = read("esd", folder), read("esd", folder, "language=zh")

    assert {one.speaker for one in english.utterances} == {"0011"}
    assert {(one.speaker, one.language) for one in mandarin.utterances} == {
        ("0004", "zh")
    }
    with pytest.raises(BadSpec, match="must be one of en, zh"):
        read("esd", folder, "language=de")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_esd_folds_have_one_man_and_one_woman(language: str) -> None:
    men = {f"{number:04}" for number in (4, 5, 6, 8, 10, 11, 12, 13, 14, 20)}

    for pair in esd.PAIRS[language].values():
        assert len(men & set(pair)) == 1
        assert len(pair) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_esd_transcripts_are_read_in_each_encoding_that_they_have(
    tmp_path: Path, encoding: str
) -> None:
    folder = plant(tmp_path, ["0001/Happy/0001_000701.wav"])
    lines = "\r\n0001_000701\t打远一看它们的确很是美丽。\t快乐\r\n0001_000702\t?\t快乐"
    (folder / "0001/0001.txt").write_bytes(lines.encode(encoding))

    (utterance,) = read("esd", folder, "language=zh").utterances

    assert utterance.text == "打远一看它们的确很是美丽。"


@pytest.mark.parametrize(
    "line",
    [
        "0011_000351\tThe nine eggs, I keep.\tAngry",
        "0011_000351 The nine eggs, I keep. Angry",
        "0011_000351\tThe nine eggs, I keep.",
    ],
)
def test_esd_transcripts_with_other_separators_give_the_same_text(
    tmp_path: Path, line: str
) -> None:
    folder = plant(tmp_path, ["0011/Angry/0011_000351.wav"])
    (folder / "0011/0011.txt").write_text(f"{line}\nnot a line\n", encoding="utf-8")

    (utterance,) = read("esd", folder).utterances

    assert utterance.text == "The nine eggs, I keep."


def test_esd_refuses_a_transcript_in_no_known_encoding(tmp_path: Path) -> None:
    folder = plant(tmp_path, ["0011/Angry/0011_000351.wav"])
    (folder / "0011/0011.txt").write_bytes(b"0011_000351\t\xff\xff\tAngry")

    assert refusal("esd", folder).startswith(
        f"{folder / '0011/0011.txt'} is neither UTF-8, UTF-16 nor GB 18030"
    )


@pytest.mark.parametrize(
    "file",
    [
        "0011/Angry/0012_000351.wav",  # of another speaker
        "0011/Fear/0011_000351.wav",
        "0011/0011_000351.wav",
        "0011/Angry/old/0011_000351.wav",
    ],
)
def test_esd_refuses_a_file_in_a_wrong_folder(tmp_path: Path, file: str) -> None:
    folder = plant(tmp_path, ["0011/Angry/0011_000352.wav", file])

    assert refusal("esd", folder).startswith(f"{folder / file} is not named")


@settings(max_examples=30)
@given(content=st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_any_transcript_of_esd_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = plant(tmp_path_factory.mktemp("esd"), ["0011/Angry/0011_000351.wav"])
    (folder / "0011/0011.txt").write_bytes(content)

    assert "0011.txt" in problem("esd", folder, "0011.txt")
