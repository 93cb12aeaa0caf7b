"""TESS: two actresses speak 200 words in seven emotions.

The files are ``SPEAKER_WORD_EMOTION.wav``, all in one folder or one per emotion.
``classes`` is ``paper`` for four emotions or ``all`` for seven.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import TESS
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",  # pleasant surprise
    "sad": "sadness",
}
CLASSES = {"paper": PAPER, "all": tuple(sorted(EMOTIONS.values()))}
SPEAKERS = ("OAF", "YAF")
"""The older actress (64 years) and the younger one (26); each is a fold."""
WORDS = 200


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    # In many copies, one file is called OA_bite_neutral.
    speaker = "YAF" if name["speaker"] == "YAF" else "OAF"
    return Utterance(
        id=f"{speaker}_{name['word']}_{name['emotion']}",
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=speaker,
        fold=speaker,
        text=f"Say the word {name['word']}.",
        language="en",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=TESS,
        layouts=("*", "[OY]AF_*/*"),
        pattern=r"(?P<speaker>OAF|OA|YAF)_(?P<word>[a-z]+)"
        rf"_(?P<emotion>{'|'.join(EMOTIONS)})",
        example="OAF_back_angry.wav",
    ),
    utterance=_utterance,
    classes=CLASSES,
    counts={
        (speaker, label): WORDS for speaker in SPEAKERS for label in EMOTIONS.values()
    },
    folds={speaker: speaker for speaker in SPEAKERS},
)
load, expected = _CORPUS.load, _CORPUS.expected
