from pathlib import Path

from open_corpora import only, plant, ravdess_files, read, refusal


def test_ravdess_says_actor_sentence_and_emotion(tmp_path: Path) -> None:
    utterance = only("ravdess", tmp_path, "Actor_12/03-01-05-02-02-01-12.wav")

    assert utterance.id == "03-01-05-02-02-01-12"
    assert (utterance.label, utterance.speaker, utterance.fold) == ("anger", "12", "2")
    assert utterance.text == "Dogs are sitting by the door."
    assert utterance.language == "en"


def test_ravdess_has_the_folds_of_emobox(tmp_path: Path) -> None:
    plant(tmp_path, ravdess_files())
    folds: dict[str, set[str]] = {}
    for one in read("ravdess", tmp_path).utterances:
        folds.setdefault(one.fold, set()).add(one.speaker)

    assert folds == {  # the speakers of its lists ravdess_test_fold_K.jsonl
        "1": {"01", "11", "20", "21"},
        "2": {"04", "10", "12", "14"},
        "3": {"08", "09", "19", "23"},
        "4": {"03", "05", "07", "24"},
        "5": {"02", "15", "16", "18"},
        "6": {"06", "13", "17", "22"},
    }


def test_ravdess_songs_and_videos_are_skipped(tmp_path: Path) -> None:
    names = ("03-01-05-02-02-01-12", "03-02-05-02-02-01-12", "01-01-05-02-02-01-12")
    folder = plant(tmp_path, [f"Actor_12/{name}.wav" for name in names])

    assert [one.id for one in read("ravdess", folder).utterances] == [names[0]]


def test_ravdess_is_not_read_twice_where_copies_hold_it_twice(tmp_path: Path) -> None:
    file = "Actor_12/03-01-05-02-02-01-12.wav"
    folder = plant(tmp_path, [file, f"audio_speech_actors_01-24/{file}"])

    (utterance,) = read("ravdess", folder).utterances

    assert utterance.path == folder / file
    assert len(read("ravdess", tmp_path).utterances) == 1


def test_ravdess_refuses_a_file_in_the_folder_of_another_actor(tmp_path: Path) -> None:
    folder = plant(
        tmp_path,
        ["Actor_12/03-01-05-02-02-01-12.wav", "Actor_11/03-01-05-02-02-01-12.wav"],
    )

    assert "Actor_11/03-01-05-02-02-01-12.wav is not named" in refusal(
        "ravdess", folder
    )
