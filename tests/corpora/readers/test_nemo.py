from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_corpora import only, plant, problem, read, refusal

NEMO_HEADER = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"


@pytest.mark.parametrize("samples", ["samples/", ""])
def test_nemo_says_speaker_emotion_and_text(tmp_path: Path, samples: str) -> None:
    folder = plant(tmp_path, [f"{samples}WR0_surprised_64.wav"])
    (folder / "data.tsv").write_text(
        f'{NEMO_HEADER}WR0_surprised_64.wav\tsurprised\tUcho wykrywa „dźwięki".\t'
        "ucho wykrywa dźwięki\t        WR0\tmale\t23\n",
        encoding="utf-8",
    )

    (utterance,) = read("nemo", folder, "classes=all").utterances

    assert (utterance.id, utterance.label) == ("WR0_surprised_64", "surprise")
    assert (utterance.speaker, utterance.fold) == ("WR0", "WR0")
    assert (utterance.text, utterance.language) == ('Ucho wykrywa „dźwięki".', "pl")


def test_nemo_has_no_texts_without_its_table(tmp_path: Path) -> None:
    assert only("nemo", tmp_path, "samples/WR0_anger_90.wav").text is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"", "line 1: there are no columns 'file_id', 'raw_text'"),
        (b"file_id\traw_text\nEB0_anger_1.wav\n", "line 2: 1 cells under 2 columns"),
        (b"file_id\traw_text\n\xff\t\n", "line 2: not UTF-8"),
    ],
)
def test_nemo_refuses_a_table_by_file_and_line(
    tmp_path: Path, table: bytes, said: str
) -> None:
    folder = plant(tmp_path, ["samples/EB0_anger_1.wav"])
    (folder / "data.tsv").write_bytes(table)

    assert f"{folder / 'data.tsv'}, {said}" in refusal("nemo", folder)


@settings(max_examples=30)
@given(table=st.binary(max_size=80) | st.text("file_idraw\t\n\r é", max_size=80))
def test_any_table_of_nemo_is_read_or_refused_by_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, table: bytes | str
) -> None:
    folder = plant(tmp_path_factory.mktemp("nemo"), ["samples/EB0_anger_1.wav"])
    content = table.encode() if isinstance(table, str) else table
    (folder / "data.tsv").write_bytes(content)

    assert "data.tsv, line " in problem("nemo", folder, "data.tsv, line ")
