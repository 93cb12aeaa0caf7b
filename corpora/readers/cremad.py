"""CREMA-D: 91 actors, twelve sentences in six emotions.

The folder is the repository or its ``AudioWAV``. The label is the emotion that the
actor was asked for; the five folds and their equal shares of women and men are ours.
``classes`` is ``paper`` for four emotions or ``all`` for six.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import CREMAD
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
TEXTS = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
SEXES = (  # of the actors, in the order of their numbers (VideoDemographics.csv)
    "MFFFMFFFFFMFFMMMMFMFFMMFFMMFFFMMMMMMFMMMMMFMMFFMFMMFFFFFMFMF"
    "FMFMMMMMMMMFFFFFMFFMMFMFMMMMFMF"
)
ACTORS = {str(number): sex for number, sex in enumerate(SEXES, start=1001)}
MEN = [actor for actor, sex in ACTORS.items() if sex == "M"]
WOMEN = [actor for actor, sex in ACTORS.items() if sex == "F"]
# Men are assigned to the folds in turn from the first fold on, women from the last fold
# on, so that the folds have about the same size.
FOLDS = {actor: str(index % 5 + 1) for index, actor in enumerate(MEN)} | {
    actor: str(5 - index % 5) for index, actor in enumerate(WOMEN)
}
MISSING = {  # emotions of which an actor has one clip less than the others
    "1002": {"NEU"},
    "1008": set(EMOTIONS),
    "1009": set(EMOTIONS),
    "1019": set(EMOTIONS),
    "1076": {"NEU"},
}


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    actor, text, emotion = name["actor"], name["text"], name["emotion"]
    # Copies from before 2022 have one file that ends with X (issue 6 of the
    # repository).
    level = "XX" if name["level"] == "X" else name["level"]
    return Utterance(
        id=f"{actor}_{text}_{emotion}_{level}",
        path=path,
        label=EMOTIONS[emotion],
        speaker=actor,
        fold=FOLDS[actor],
        text=TEXTS[text],
        language="en",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=CREMAD,
        layouts=("*", "AudioWAV/*"),
        pattern=rf"(?P<actor>{'|'.join(ACTORS)})_(?P<text>{'|'.join(TEXTS)})"
        rf"_(?P<emotion>{'|'.join(EMOTIONS)})_(?P<level>XX?|LO|MD|HI)",
        example="AudioWAV/1001_DFA_ANG_XX.wav",
    ),
    utterance=_utterance,
    classes=CLASSES,
    counts={
        (actor, label): (12 if code == "NEU" else 14)
        - (code in MISSING.get(actor, set()))
        for actor in ACTORS
        for code, label in EMOTIONS.items()
    },
    folds=FOLDS,
)
load, expected = _CORPUS.load, _CORPUS.expected
