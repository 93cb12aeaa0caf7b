"""SAVEE: four men read British English sentences in seven emotions."""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.cards import SAVEE
from nserbench.corpora.readers.naming import PAPER, FileNaming, choose, published
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.settings import Settings

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

_NAMING = FileNaming(
    card=SAVEE,
    layouts=("*", "[DJK][CEKL]/*", "AudioData/*/*", "ALL/*"),
    pattern=rf"(?P<speaker>{'|'.join(SPEAKERS)})[_/]"
    rf"(?P<emotion>{'|'.join(EMOTIONS)})(?P<number>[0-9]{{2}})",
    example="AudioData/DC/a01.wav or DC_a01.wav",
)


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``AudioData/SPEAKER/EMOTIONNN.wav`` or ``SPEAKER_EMOTIONNN.wav``.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for seven.
        settings: Where ``savee`` is set to the folder of the files, of the speakers'
            folders, or of ``AudioData``.

    Raises:
        CorpusMissing: if the folder is not set, or holds no file of SAVEE.
        BadCorpus: if a file's name is not one of the corpus's.
    """
    utterances = [_utterance(path, name) for path, name in _NAMING.files(settings)]
    return choose(CLASSES[options["classes"]], utterances)


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts; `load` says what the options are."""
    counts = {
        (speaker, label): 30 if label == "neutral" else 15
        for speaker in SPEAKERS
        for label in EMOTIONS.values()
    }
    folds = {speaker: speaker for speaker in SPEAKERS}
    return published(counts, folds, CLASSES[options["classes"]])


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        id=f"{name['speaker']}_{name['emotion']}{name['number']}",
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["speaker"],
        fold=name["speaker"],
        language="en",
    )
