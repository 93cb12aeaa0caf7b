"""SAVEE: four men read British English sentences in seven emotions.

The files are ``AudioData/SPEAKER/EMOTIONNN.wav`` or ``SPEAKER_EMOTIONNN.wav``.
``classes`` is ``paper`` for four emotions or ``all`` for seven.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import SAVEE
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
SPEAKERS = ("DC", "JE", "JK", "KL")
"""Each speaker is a fold, as in EmoBox."""


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        id=f"{name['speaker']}_{name['emotion']}{name['number']}",
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["speaker"],
        fold=name["speaker"],
        language="en",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=SAVEE,
        layouts=("*", "[DJK][CEKL]/*", "AudioData/*/*", "ALL/*"),
        pattern=rf"(?P<speaker>{'|'.join(SPEAKERS)})[_/]"
        rf"(?P<emotion>{'|'.join(EMOTIONS)})(?P<number>[0-9]{{2}})",
        example="AudioData/DC/a01.wav or DC_a01.wav",
    ),
    utterance=_utterance,
    classes=CLASSES,
    counts={
        (speaker, label): 30 if label == "neutral" else 15
        for speaker in SPEAKERS
        for label in EMOTIONS.values()
    },
    folds={speaker: speaker for speaker in SPEAKERS},
)
load, expected = _CORPUS.load, _CORPUS.expected
