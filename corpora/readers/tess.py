"""TESS: two actresses speak 200 words in seven emotions."""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.cards import TESS
from nserbench.corpora.readers.naming import PAPER, FileNaming, choose, published
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.settings import Settings

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

_NAMING = FileNaming(
    card=TESS,
    layouts=("*", "[OY]AF_*/*"),
    pattern=r"(?P<speaker>OAF|OA|YAF)_(?P<word>[a-z]+)"
    rf"_(?P<emotion>{'|'.join(EMOTIONS)})",
    example="OAF_back_angry.wav",
)


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``SPEAKER_WORD_EMOTION.wav``, all in one folder or one per emotion.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for seven.
        settings: Where ``tess`` is set to the folder of the files, or to the one that
            holds ``OAF_angry`` and the like.

    Raises:
        CorpusMissing: if the folder is not set, or holds no file of TESS.
        BadCorpus: if a file's name is not one of the corpus's.
    """
    utterances = [_utterance(path, name) for path, name in _NAMING.files(settings)]
    return choose(CLASSES[options["classes"]], utterances)


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts; `load` says what the options are."""
    counts = {
        (speaker, label): WORDS for speaker in SPEAKERS for label in EMOTIONS.values()
    }
    folds = {speaker: speaker for speaker in SPEAKERS}
    return published(counts, folds, CLASSES[options["classes"]])


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
