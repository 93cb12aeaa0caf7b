"""RAVDESS, its speech: 24 actors, two sentences in eight emotions.

The folder, or one in it, holds ``Actor_NN/03-01-...wav``; songs and videos of
the actors are skipped. ``classes`` is ``paper`` for four emotions or ``all`` for eight.
Calm is a class of its own, not part of neutral.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import RAVDESS
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
CLASSES = {"paper": PAPER, "all": tuple(sorted(EMOTIONS.values()))}
TEXTS = {
    "01": "Kids are talking by the door.",
    "02": "Dogs are sitting by the door.",
}
ACTORS = {  # of each fold, as in EmoBox
    "1": ("01", "11", "20", "21"),
    "2": ("04", "10", "12", "14"),
    "3": ("08", "09", "19", "23"),
    "4": ("03", "05", "07", "24"),
    "5": ("02", "15", "16", "18"),
    "6": ("06", "13", "17", "22"),
}
FOLDS = {actor: fold for fold, actors in ACTORS.items() for actor in actors}


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        id=path.stem,
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["actor"],
        fold=FOLDS[name["actor"]],
        text=TEXTS[name["text"]],
        language="en",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=RAVDESS,
        layouts=("Actor_*/*", "[Aa]udio_[Ss]peech_[Aa]ctors_01-24/Actor_*/*"),
        pattern=rf"Actor_(?P<actor>{'|'.join(FOLDS)})"
        rf"/03-01-(?P<emotion>{'|'.join(EMOTIONS)})-0[12]"
        rf"-(?P<text>{'|'.join(TEXTS)})-0[12]-(?P=actor)",
        example="Actor_01/03-01-05-01-02-01-01.wav",
        others=r"(?:0[12]-0[12]|03-02)(?:-[0-9]{2}){5}",  # videos, songs
    ),
    utterance=_utterance,
    classes=CLASSES,
    counts={
        (actor, label): 4 if label == "neutral" else 8  # neutral has one intensity only
        for actor in FOLDS
        for label in EMOTIONS.values()
    },
    folds=FOLDS,
)
load, expected = _CORPUS.load, _CORPUS.expected
