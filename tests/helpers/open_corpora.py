"""Corpora that are free to use: their file names and published facts."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nserbench.cards import bind
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.corpora.cards import (
    CREMAD,
    ESD,
    MSP_PODCAST,
    NEMO,
    RAVDESS,
    SAVEE,
    TESS,
    URDU,
)
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings
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
    card = {**CARDS, MSP_PODCAST.name: MSP_PODCAST}[name]
    paths = {} if folder is None else {name: folder}
    bound = bind(card, parse_spec(f"{name}:{options}" if options else name))
    return card.read(bound.options, Settings(paths=paths, environment={}))


def everything(name: str) -> str:
    has_classes = name not in CARDS or "classes" in CARDS[name].options
    return "classes=all" if has_classes else ""


def refusal(name: str, folder: Path, options: str = "") -> str:
    with pytest.raises(BadCorpus) as caught:
        read(name, folder, options)
    return str(caught.value)


def problem(name: str, folder: Path, otherwise: str) -> str:
    """Return the message of a refusal, or a fixed text if there is none."""
    try:
        read(name, folder, everything(name))
    except (BadCorpus, CorpusMissing) as error:
        return str(error)
    return otherwise


def missing(name: str, folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        read(name, folder)
    return str(caught.value)


def only(name: str, folder: Path, file: str, options: str = "") -> Utterance:
    (utterance,) = read(name, plant(folder, [file]), options).utterances
    return utterance
