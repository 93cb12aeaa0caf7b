"""URDU: clips of Urdu talk shows, four emotions.

The folder holds ``Angry``, ``Happy``, ``Neutral`` and ``Sad``, with files
``EMOTION/SPEAKER_FN_EN.wav``. A file in the folder of another emotion is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import URDU
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
COUNTS = {  # by fold, speaker and emotion
    "1": {
        "SF5": {"H": 4},
        "SF8": {"H": 2},
        "SF9": {"N": 4},
        "SM4": {"A": 48},
        "SM7": {"H": 28},
        "SM21": {"N": 4},
        "SM22": {"N": 2},
        "SM24": {"S": 38},
    },
    "2": {
        "SF2": {"H": 2},
        "SF3": {"H": 2},
        "SF4": {"H": 4},
        "SF7": {"H": 6},
        "SF10": {"S": 2},
        "SF11": {"S": 4},
        "SM1": {"A": 22},
        "SM5": {"H": 8, "N": 72},
        "SM6": {"H": 10, "S": 4},
        "SM23": {"S": 6},
        "SM26": {"S": 2},
        "SM27": {"S": 4},
    },
    "3": {
        "SF1": {"H": 12},
        "SF6": {"H": 14},
        "SM2": {"A": 28},
        "SM3": {"A": 2, "H": 2, "N": 8},
        "SM17": {"H": 2},
        "SM18": {"H": 2},
        "SM19": {"H": 2},
        "SM20": {"N": 10},
        "SM25": {"S": 40},
    },
}
"""The folds are ours. With more folds, some would have no angry speaker."""
FOLDS = {speaker: fold for fold, speakers in COUNTS.items() for speaker in speakers}


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        id=path.stem,
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["speaker"],
        fold=FOLDS[name["speaker"]],
        language="ur",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=URDU,
        layouts=("[AHNS]*/*",),
        pattern=r"(?P<emotion>[AHNS])(?:ngry|appy|eutral|ad)"
        rf"/(?P<speaker>{'|'.join(FOLDS)})_F[0-9]+_(?P=emotion)[0-9]+",
        example="Angry/SM1_F4_A04.wav",
    ),
    utterance=_utterance,
    classes={"paper": PAPER},
    counts={
        (speaker, EMOTIONS[code]): number
        for speakers in COUNTS.values()
        for speaker, numbers in speakers.items()
        for code, number in numbers.items()
    },
    folds=FOLDS,
)
load, expected = _CORPUS.load, _CORPUS.expected
