"""RAVDESS, its speech: 24 actors, two sentences in eight emotions."""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.cards import RAVDESS
from nserbench.corpora.readers.naming import PAPER, FileNaming, choose, published
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.settings import Settings

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

_NAMING = FileNaming(
    card=RAVDESS,
    layouts=("Actor_*/*", "[Aa]udio_[Ss]peech_[Aa]ctors_01-24/Actor_*/*"),
    pattern=rf"Actor_(?P<actor>{'|'.join(FOLDS)})"
    rf"/03-01-(?P<emotion>{'|'.join(EMOTIONS)})-0[12]"
    rf"-(?P<text>{'|'.join(TEXTS)})-0[12]-(?P=actor)",
    example="Actor_01/03-01-05-01-02-01-01.wav",
    others=r"(?:0[12]-0[12]|03-02)(?:-[0-9]{2}){5}",  # videos, songs
)


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``Actor_NN/03-01-...wav``; songs and videos of the actors are skipped.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for eight. Calm
            is a class of its own, not part of neutral.
        settings: Where ``ravdess`` is set to the folder that holds the actors'
            folders, or to the one above.

    Raises:
        CorpusMissing: if the folder is not set, or holds no speech of RAVDESS.
        BadCorpus: if a file's name is not one of the corpus's.
    """
    utterances = [_utterance(path, name) for path, name in _NAMING.files(settings)]
    return choose(CLASSES[options["classes"]], utterances)


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts; `load` says what the options are."""
    counts = {
        (actor, label): 4 if label == "neutral" else 8  # neutral has one intensity only
        for actor in FOLDS
        for label in EMOTIONS.values()
    }
    return published(counts, FOLDS, CLASSES[options["classes"]])


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
