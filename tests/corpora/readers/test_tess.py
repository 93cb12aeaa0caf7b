from pathlib import Path

import pytest
from open_corpora import only


@pytest.mark.parametrize(
    "file",
    [
        "OAF_back_ps.wav",
        "OAF_Pleasant_surprise/OAF_back_ps.wav",
        "OAF_pleasant_surprised/OAF_back_ps.wav",
    ],
)
def test_tess_is_read_from_one_folder_or_many(tmp_path: Path, file: str) -> None:
    utterance = only("tess", tmp_path, file, "classes=all")

    assert (utterance.id, utterance.label) == ("OAF_back_ps", "surprise")
    assert (utterance.speaker, utterance.fold) == ("OAF", "OAF")
    assert utterance.text == "Say the word back."


def test_tess_knows_the_file_whose_speaker_lacks_a_letter(tmp_path: Path) -> None:
    utterance = only("tess", tmp_path, "OAF_neutral/OA_bite_neutral.wav")

    assert (utterance.id, utterance.speaker) == ("OAF_bite_neutral", "OAF")
