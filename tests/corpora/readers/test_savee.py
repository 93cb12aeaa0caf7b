from pathlib import Path

import pytest
from open_corpora import only


@pytest.mark.parametrize(
    "file", ["DC_sa01.wav", "DC/sa01.wav", "AudioData/DC/sa01.wav", "ALL/DC_sa01.wav"]
)
def test_savee_is_read_in_all_its_layouts(tmp_path: Path, file: str) -> None:
    utterance = only("savee", tmp_path, file)

    assert (utterance.id, utterance.label) == ("DC_sa01", "sadness")
    assert (utterance.speaker, utterance.fold) == ("DC", "DC")
