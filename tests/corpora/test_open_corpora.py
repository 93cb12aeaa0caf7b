import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from nserbench.benchmark.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora import cremad, esd, savee
from nserbench.corpora.audio import read_audio
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.corpora.cards import CREMAD, ESD, NEMO, RAVDESS, SAVEE, TESS, URDU
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings, variable
from nserbench.spec import parse_spec

FOUR = ("anger", "happiness", "neutral", "sadness")
CARDS: Mapping[str, CorpusCard] = {
    card.name: card for card in (RAVDESS, CREMAD, TESS, SAVEE, ESD, NEMO, URDU)
}
# From each publication, or counted in the lists of files that the docs name.
CLASSES = {
    "ravdess": dict.fromkeys(
        ("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192
    )
    | {"neutral": 96},
    "crema-d": dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271)
    | {"neutral": 1087},
    "tess": dict.fromkeys((*FOUR, "disgust", "fear", "surprise"), 400),
    "savee": dict.fromkeys((*FOUR, "disgust", "fear", "surprise"), 60)
    | {"neutral": 120},
    "esd": dict.fromkeys((*FOUR, "surprise"), 3500),
    "nemo": {
        "anger": 749,
        "fear": 736,
        "happiness": 749,
        "neutral": 809,
        "sadness": 769,
        "surprise": 669,
    },
    "urdu": dict.fromkeys(FOUR, 100),
}
TOTALS = {
    "ravdess": 1440,
    "crema-d": 7442,
    "tess": 2800,
    "savee": 480,
    "esd": 17500,
    "nemo": 4481,
    "urdu": 400,
}
SPEAKERS = {
    "ravdess": 24,
    "crema-d": 91,
    "tess": 2,
    "savee": 4,
    "esd": 10,
    "nemo": 9,
    "urdu": 29,
}
FOLDS = {
    "ravdess": 6,
    "crema-d": 5,
    "tess": 2,
    "savee": 4,
    "esd": 5,
    "nemo": 9,
    "urdu": 3,
}
CREMAD_LACKS = {"1002_TIE_NEU", "1076_ITS_NEU"} | {
    f"{clip}_{emotion}"
    for clip in ("1008_WSI", "1009_MTI", "1019_ITH")
    for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
}
# Of the speakers who do not have all 90 sentences in each emotion.
NEMO_LACKS = {
    "EB0": {"surprised": 89},
    "MK0": {"surprised": 0},
    "MP0": {
        "anger": 29,
        "fear": 17,
        "happiness": 30,
        "sadness": 49,
        "surprised": 41,
    },
    "SM0": {"fear": 89, "happiness": 89},
    "TP0": {"surprised": 89},
    "WR0": {"neutral": 89},
}
URDU_SPEAKERS = {
    "Angry": "SM1 22 SM2 28 SM3 2 SM4 48",
    "Happy": "SF1 12 SF2 2 SF3 2 SF4 4 SF5 4 SF6 14 SF7 6 SF8 2 SM17 2 SM18 2 SM19 2 "
    "SM3 2 SM5 8 SM6 10 SM7 28",
    "Neutral": "SF9 4 SM20 10 SM21 4 SM22 2 SM3 8 SM5 72",
    "Sad": "SF10 2 SF11 4 SM23 6 SM24 38 SM25 40 SM26 2 SM27 4 SM6 4",
}


def ravdess_files() -> Iterator[str]:
    for actor, emotion, strength, text, take in product(
        range(1, 25), range(1, 9), (1, 2), (1, 2), (1, 2)
    ):
        if (emotion, strength) != (1, 2):
            name = f"03-01-0{emotion}-0{strength}-0{text}-0{take}-{actor:02}.wav"
            yield f"Actor_{actor:02}/{name}"


def cremad_files() -> Iterator[str]:
    texts = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI")
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    for actor, text, emotion in product(
        range(1001, 1092), (*texts, "TIE", "TSI", "WSI"), emotions
    ):
        clip = f"{actor}_{text}_{emotion}"
        strong = text == "IEO" and emotion != "NEU"
        for level in ("LO", "MD", "HI") if strong else ("XX",):
            if clip not in CREMAD_LACKS:
                yield f"AudioWAV/{clip}_{level}.wav"


def tess_files() -> Iterator[str]:
    words = [
        first + "a" + last
        for first, last in product("bdfghjklmn", "bdfghjklmnprstvxyz")
    ]
    folders = {"ps": "Pleasant_surprise", "fear": "Fear", "sad": "Sad"}
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    for speaker, emotion in product(("OAF", "YAF"), emotions):
        for word in [*words, *(f"{word}s" for word in words[:20])]:
            folder = f"{speaker}_{folders.get(emotion, emotion)}"
            yield f"{folder}/{speaker}_{word}_{emotion}.wav"


def savee_files() -> Iterator[str]:
    speakers, emotions = ("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")
    for speaker, emotion in product(speakers, emotions):
        for number in range(1, 31 if emotion == "n" else 16):
            yield f"AudioData/{speaker}/{emotion}{number:02}.wav"


def esd_files(speakers: Sequence[int] = range(11, 21)) -> Iterator[str]:
    emotions = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
    for speaker, (at, emotion) in product(speakers, enumerate(emotions)):
        for number in range(1 + 350 * at, 351 + 350 * at):
            yield f"{speaker:04}/{emotion}/{speaker:04}_{number:06}.wav"


def nemo_files() -> Iterator[str]:
    emotions = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
    speakers = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
    for speaker, emotion in product(speakers, emotions):
        count = NEMO_LACKS.get(speaker, {}).get(emotion, 90)
        for sentence in range(1, 1 + count):
            yield f"samples/{speaker}_{emotion}_{sentence}.wav"


def urdu_files() -> Iterator[str]:
    for emotion, said in URDU_SPEAKERS.items():
        words = said.split()
        number = 0
        for speaker, count in zip(words[::2], words[1::2], strict=True):
            for at in range(1, 1 + int(count)):
                number += 1
                yield f"{emotion}/{speaker}_F{at}_{emotion[0]}0{number}.wav"


TREES: Mapping[str, Callable[[], Iterator[str]]] = {
    "ravdess": ravdess_files,
    "crema-d": cremad_files,
    "tess": tess_files,
    "savee": savee_files,
    "esd": esd_files,
    "nemo": nemo_files,
    "urdu": urdu_files,
}


def plant(top: Path, names: Iterator[str] | Sequence[str]) -> Path:
    """Write the same tenth of a second to every name."""
    names = list(names)
    for folder in {(top / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    first, *others = names
    tone = 0.5 * np.sin(np.arange(1600) / 4)
    soundfile.write(top / first, tone, 16_000)
    for name in others:
        os.link(top / first, top / name)
    return top


def read(name: str, folder: Path | None, options: str = "") -> Corpus:
    card = CARDS[name]
    paths = {} if folder is None else {name: folder}
    bound = bind(card, parse_spec(f"{name}:{options}" if options else name))
    return card.read(bound.options, Settings(paths=paths, environment={}))


def everything(name: str) -> str:
    return "classes=all" if "classes" in CARDS[name].options else ""


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(BadCorpus) as caught:
        read(name, folder)
    return str(caught.value)


def problem(name: str, folder: Path, otherwise: str) -> str:
    """Give what a refusal says, or something else if there is none."""
    try:
        read(name, folder, everything(name))
    except BadCorpus as error:
        return str(error)
    return otherwise


def missing(name: str, folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        read(name, folder)
    return str(caught.value)


def only(name: str, folder: Path, file: str, options: str = "") -> Utterance:
    (utterance,) = read(name, plant(folder, [file]), options).utterances
    return utterance


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    top = tmp_path_factory.mktemp("open")
    return {name: plant(top / name, files()) for name, files in TREES.items()}


@pytest.mark.parametrize("name", TREES)
def test_a_whole_corpus_has_its_published_counts(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name], everything(name))

    assert Counter(one.label for one in corpus.utterances) == CLASSES[name]
    assert len(corpus.utterances) == TOTALS[name]
    assert len({one.speaker for one in corpus.utterances}) == SPEAKERS[name]
    assert len(corpus.folds) == FOLDS[name]


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("classes", ["paper", "all"])
def test_expected_counts_are_those_of_a_whole_corpus(
    trees: Mapping[str, Path], name: str, classes: str
) -> None:
    options = f"classes={classes}" if everything(name) else ""
    bound = bind(CARDS[name], parse_spec(f"{name}:{options}" if options else name))
    corpus = read(name, trees[name], options)

    (counts,) = CARDS[name].resolve(str(CARDS[name].expects))(bound.options)

    assert counts.differences(corpus) == []
    assert counts.total == len(corpus.utterances)


@pytest.mark.parametrize("name", TREES)
def test_four_classes_are_read_unless_all_are_asked_for(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name])

    assert corpus.classes == FOUR
    assert {one.label for one in corpus.utterances} == set(FOUR)
    assert set(read(name, trees[name], everything(name)).classes) == set(CLASSES[name])


@pytest.mark.parametrize("name", TREES)
def test_no_speaker_is_trained_on_and_tested(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name])

    for split in make_splits(corpus):
        sides = [
            {corpus.utterances[at].speaker for at in part}
            for part in (split.train, split.test)
        ]
        assert not sides[0] & sides[1]
        assert {corpus.utterances[at].label for at in split.test} == set(FOUR)


@pytest.mark.parametrize("name", TREES)
def test_utterances_come_in_the_order_of_their_paths_and_can_be_heard(
    trees: Mapping[str, Path], name: str
) -> None:
    paths = [one.path for one in read(name, trees[name]).utterances]

    assert paths == sorted(paths)
    assert read_audio(paths[0]).shape == (1600,)


def test_a_lost_file_is_a_difference_from_what_is_expected(tmp_path: Path) -> None:
    folder = plant(tmp_path, list(savee_files()))
    (folder / "AudioData/JE/a07.wav").unlink()

    (counts,) = savee.expected({"classes": "paper"})

    assert counts.differences(read("savee", folder)) == [
        "class anger: 59 utterances, 60 expected",
        "fold JE: 74 utterances, 75 expected",
        "speaker JE: 74 utterances, 75 expected",
    ]


@pytest.mark.parametrize("name", TREES)
def test_a_file_with_another_name_is_refused_by_name(tmp_path: Path, name: str) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])
    copy = (folder / file).with_stem(f"{Path(file).stem} copy")
    copy.touch()

    assert refusal(name, folder).startswith(
        f"{copy} is not named as the files of {name}"
    )


@pytest.mark.parametrize("name", TREES)
def test_other_kinds_of_files_are_passed_over(tmp_path: Path, name: str) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])
    for other in (f"._{Path(file).name}", "Thumbs.db", "readme.txt"):
        (folder / file).with_name(other).touch()

    assert len(read(name, folder, everything(name)).utterances) == 1


@pytest.mark.parametrize("name", TREES)
def test_the_folder_above_is_answered_with_the_right_one(
    tmp_path: Path, name: str
) -> None:
    folder = plant(tmp_path / "above/corpus", [next(TREES[name]())])

    assert missing(name, tmp_path / "above").endswith(
        f"it is in {folder}: set {variable(name)} to that"
    )


@pytest.mark.parametrize("name", ["ravdess", "esd", "urdu"])
def test_the_folder_below_is_answered_with_the_right_one(
    tmp_path: Path, name: str
) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])

    assert missing(name, (folder / file).parent).endswith(
        f"it is in {folder}: set {variable(name)} to that"
    )


@pytest.mark.parametrize("name", TREES)
def test_any_other_folder_is_answered_with_the_way_to_get_the_corpus(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "a/b/c"
    folder.mkdir(parents=True)

    assert missing(name, folder).endswith(CARDS[name].obtain)
    assert CARDS[name].obtain in missing(name, None)


@pytest.mark.parametrize("name", TREES)
@settings(max_examples=30)
@given(name_of_file=st.data())
def test_any_name_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, name_of_file: st.DataObject
) -> None:
    known = next(TREES[name]())
    letters = st.sampled_from(
        [*set(Path(known).stem), "_", "-", "9", "Z", "é", "²", "٣"]
    )
    stem = name_of_file.draw(st.text(letters, min_size=1, max_size=24))
    top = tmp_path_factory.mktemp("any")
    folder = plant(top, [known])
    (folder / known).with_stem(stem).touch()

    assert stem in problem(name, folder, stem)


def test_ravdess_says_actor_sentence_and_emotion(tmp_path: Path) -> None:
    utterance = only("ravdess", tmp_path, "Actor_12/03-01-05-02-02-01-12.wav")

    assert utterance.id == "03-01-05-02-02-01-12"
    assert (utterance.label, utterance.speaker, utterance.fold) == ("anger", "12", "2")
    assert utterance.text == "Dogs are sitting by the door."
    assert utterance.language == "en"


def test_ravdess_has_the_folds_of_emobox(trees: Mapping[str, Path]) -> None:
    folds: dict[str, set[str]] = {}
    for one in read("ravdess", trees["ravdess"]).utterances:
        folds.setdefault(one.fold, set()).add(one.speaker)

    assert folds == {  # the speakers of its lists ravdess_test_fold_K.jsonl
        "1": {"01", "11", "20", "21"},
        "2": {"04", "10", "12", "14"},
        "3": {"08", "09", "19", "23"},
        "4": {"03", "05", "07", "24"},
        "5": {"02", "15", "16", "18"},
        "6": {"06", "13", "17", "22"},
    }


def test_ravdess_songs_and_videos_are_passed_over(tmp_path: Path) -> None:
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


def test_cremad_says_actor_sentence_and_emotion(tmp_path: Path) -> None:
    utterance = only("crema-d", tmp_path, "1040_ITH_SAD_X.wav")

    assert utterance.id == "1040_ITH_SAD_XX"  # so since 2022
    assert (utterance.label, utterance.speaker) == ("sadness", "1040")
    assert utterance.text == "I think I have a doctor's appointment."
    assert utterance.language == "en"


def test_cremad_folds_have_equal_shares_of_women_and_men() -> None:
    shares = Counter((fold, cremad.ACTORS[one]) for one, fold in cremad.FOLDS.items())

    assert {shares[fold, "F"] for fold in "12345"} == {8, 9}
    assert {shares[fold, "M"] for fold in "12345"} == {9, 10}
    assert (len(cremad.WOMEN), len(cremad.MEN)) == (43, 48)  # as published
    assert set(Counter(cremad.FOLDS.values()).values()) == {18, 19}


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


@pytest.mark.parametrize(
    "file", ["DC_sa01.wav", "DC/sa01.wav", "AudioData/DC/sa01.wav", "ALL/DC_sa01.wav"]
)
def test_savee_is_read_in_all_its_layouts(tmp_path: Path, file: str) -> None:
    utterance = only("savee", tmp_path, file)

    assert (utterance.id, utterance.label) == ("DC_sa01", "sadness")
    assert (utterance.speaker, utterance.fold) == ("DC", "DC")


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
    with pytest.raises(BadSpec, match="one of en, zh is wanted"):
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
        (b"", "line 1: there is no column 'file_id'"),
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


def test_urdu_says_speaker_and_emotion(tmp_path: Path) -> None:
    utterance = only("urdu", tmp_path, "Sad/SM6_F4_S0100.wav")

    assert (utterance.id, utterance.label) == ("SM6_F4_S0100", "sadness")
    assert (utterance.speaker, utterance.fold) == ("SM6", "2")
    assert utterance.language == "ur"


def test_urdu_refuses_a_file_in_the_folder_of_another_emotion(tmp_path: Path) -> None:
    folder = plant(tmp_path, ["Sad/SM6_F4_S0100.wav", "Happy/SM6_F3_S099.wav"])

    assert "Happy/SM6_F3_S099.wav is not named" in refusal("urdu", folder)


def test_a_relative_folder_is_read_too(
    trees: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trees["savee"] / "AudioData/DC")

    said = missing("savee", Path())

    assert f"it is in {trees['savee'] / 'AudioData'}" in said
    monkeypatch.chdir(trees["savee"])
    assert len(read("savee", Path()).utterances) == 300
