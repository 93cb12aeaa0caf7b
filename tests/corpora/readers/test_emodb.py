import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import EMODB
from nserbench.corpora.readers.emodb import EMOTIONS, TEXTS, expected, load
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings
from nserbench.spec import parse_spec

# Utterances of each speaker, as shared with the test data's own description.
COUNTS = {
    "anger": (14, 12, 13, 10, 11, 12, 12, 16, 13, 14),
    "happiness": (7, 11, 4, 4, 8, 2, 10, 8, 6, 11),
    "neutral": (11, 10, 9, 4, 9, 4, 9, 7, 11, 5),
    "sadness": (7, 9, 4, 3, 7, 4, 5, 10, 4, 9),
}
SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")


def read(folder: Path | None, spec: str = "emodb") -> Corpus:
    paths = {} if folder is None else {"emodb": folder}
    options = bind(EMODB, parse_spec(spec)).options
    return EMODB.read(options, Settings(paths=paths, environment={}))


def with_files(folder: Path, names: Iterable[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_name_says_speaker_sentence_and_emotion(tmp_path: Path) -> None:
    folder = with_files(tmp_path, ["08b03Tc.wav"])

    (utterance,) = read(folder).utterances

    assert utterance.id == "08b03Tc"
    assert utterance.path == folder / "08b03Tc.wav"
    assert utterance.label == "sadness"
    assert (utterance.speaker, utterance.fold) == ("08", "1")
    assert utterance.text == (
        "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes "
        "besucht."
    )
    assert utterance.language == "de"


def test_the_second_edition_is_recognised_by_its_number_of_files(
    tmp_path: Path,
) -> None:
    names = [
        f"{speaker}{text}{emotion}{take}.wav"
        for speaker in SPEAKERS
        for text in TEXTS
        for emotion in EMOTIONS
        for take in "ab"
    ]
    first = read(with_files(tmp_path / "first", names[:535]), "emodb:classes=all")
    second = read(with_files(tmp_path / "second", names[:816]), "emodb:classes=all")

    assert (first.edition, second.edition) == ("", "2.0")
    assert (first.remark, len(second.utterances)) == ("", 816)
    assert "281 of the 816 files" in second.remark


@pytest.mark.parametrize("below", ["", "wav"])
@pytest.mark.parametrize("ending", [".wav", ".flac", ".WAV", ".Flac"])
def test_wav_or_flac_is_found_in_the_folder_or_its_wav(
    tmp_path: Path, below: str, ending: str
) -> None:
    with_files(tmp_path / below, [f"16a01Wb{ending}"])

    assert [utterance.id for utterance in read(tmp_path).utterances] == ["16a01Wb"]


def test_utterances_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = ["16a01Wb.wav", "03a01Wa.flac", "08a07Na.wav"]

    utterances = read(with_files(tmp_path, names)).utterances

    assert [utterance.path.name for utterance in utterances] == sorted(names)


def test_four_classes_are_read_unless_all_are_asked_for(tmp_path: Path) -> None:
    folder = with_files(tmp_path, [f"03a01{letter}a.wav" for letter in "WLEAFTN"])

    paper, every = read(folder), read(folder, "emodb:classes=all")

    assert paper.classes == ("anger", "happiness", "neutral", "sadness")
    assert Counter(u.label for u in paper.utterances) == Counter(paper.classes)
    assert len(every.classes) == 7
    assert {u.id[5]: u.label for u in every.utterances} == {
        "W": "anger",
        "L": "boredom",
        "E": "disgust",
        "A": "fear",
        "F": "happiness",
        "T": "sadness",
        "N": "neutral",
    }


def test_other_choices_of_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="must be one of paper, all"):
        read(tmp_path, "emodb:classes=5")


def test_other_files_are_no_utterances(tmp_path: Path) -> None:
    names = ["03a01Wa.wav", "._03a01Wa.wav", "labels.csv", "03a01Na.lab", "README"]

    assert len(read(with_files(tmp_path, names)).utterances) == 1


@pytest.mark.parametrize(
    "name",
    [
        "01a01Wa.wav",  # no such speaker
        "03a03Wa.wav",  # no such sentence
        "03a01Xa.wav",  # no such emotion
        "03a01W.wav",
        "03a01Wa copy.wav",
        "03A01WA.wav",
    ],
)
def test_a_file_with_another_name_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = with_files(tmp_path, ["03a01Wa.wav", name])

    with pytest.raises(BadCorpus) as caught:
        read(folder)

    assert str(caught.value).startswith(f"{tmp_path / name} is not named as the files")


def test_an_utterance_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = with_files(tmp_path, ["03a01Wa.wav", "03a01Wa.flac"])

    with pytest.raises(BadCorpus, match="'03a01Wa': ids must be unique"):
        read(folder)


def test_a_folder_without_audio_is_not_the_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing) as caught:
        read(with_files(tmp_path, ["labels.csv"]))

    assert str(caught.value) == (
        f"emodb is not on this machine: {tmp_path} holds no files such as "
        f"wav/03a01Fa.wav\n  {EMODB.obtain}"
    )


def test_an_unset_folder_is_answered_with_the_way_to_get_it() -> None:
    with pytest.raises(CorpusMissing, match="NSERBENCH_EMODB is not set") as caught:
        read(None)

    assert EMODB.obtain in str(caught.value)


def test_real_corpus_has_its_published_counts(test_data: Path) -> None:
    utterances = read(test_data / "corpus/emodb").utterances

    counts = Counter((u.label, u.speaker) for u in utterances)
    assert len(utterances) == 339
    assert counts == {
        (label, speaker): count
        for label, row in COUNTS.items()
        for speaker, count in zip(SPEAKERS, row, strict=True)
    }


def test_real_corpus_agrees_with_its_table(test_data: Path) -> None:
    folder = test_data / "corpus/emodb"
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))

    utterances = read(folder).utterances

    assert [(u.path, u.label, u.speaker, u.text) for u in utterances] == [
        (folder / row["file"], row["emotion"], row["speaker"], row["text"])
        for row in rows
    ]


def test_each_fold_has_one_man_and_one_woman(test_data: Path) -> None:
    folder = test_data / "corpus/emodb"
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        genders = {row["speaker"]: row["gender"] for row in csv.DictReader(table)}

    corpus = read(folder)

    speakers = {(u.fold, u.speaker) for u in corpus.utterances}
    assert corpus.folds == ("1", "2", "3", "4", "5")
    for fold in corpus.folds:
        assert sorted(genders[name] for said, name in speakers if said == fold) == [
            "f",
            "m",
        ]


def test_the_real_corpus_has_the_published_counts(test_data: Path) -> None:
    settings = Settings({"emodb": test_data / "corpus/emodb"}, environment={})

    corpus = load({"classes": "paper", "exclude": None}, settings)

    (published,) = expected({"classes": "paper"})
    assert published.total == 339
    assert published.differences(corpus) == []


def test_all_that_was_published_is_535() -> None:
    (published,) = expected({"classes": "all"})

    assert published.total == 535
    assert published.speakers is not None
    assert sum(published.speakers.values()) == sum(published.folds.values()) == 535
