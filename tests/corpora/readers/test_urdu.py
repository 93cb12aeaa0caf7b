from pathlib import Path

from open_corpora import only, plant, refusal


def test_urdu_says_speaker_and_emotion(tmp_path: Path) -> None:
    utterance = only("urdu", tmp_path, "Sad/SM6_F4_S0100.wav")

    assert (utterance.id, utterance.label) == ("SM6_F4_S0100", "sadness")
    assert (utterance.speaker, utterance.fold) == ("SM6", "2")
    assert utterance.language == "ur"


def test_urdu_refuses_a_file_in_the_folder_of_another_emotion(tmp_path: Path) -> None:
    folder = plant(tmp_path, ["Sad/SM6_F4_S0100.wav", "Happy/SM6_F3_S099.wav"])

    assert "Happy/SM6_F3_S099.wav is not named" in refusal("urdu", folder)
