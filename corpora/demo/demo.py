"""The built-in corpus ``demo``: synthetic speech of four emotions, free to use.

Eight artificial speakers say random syllables. An emotion changes how they speak, in
some utterances more than in others, so that classes overlap as in acted speech. Pitch,
pace and level change in the direction that Murray and Arnott, "Toward the simulation of
emotion in synthetic speech", JASA 93 (1993), report for human speech. The amounts and
the voice quality are ours: log-mel features can recognise most utterances, but not all.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.demo.noises import NOISES
from nserbench.corpora.demo.synthesis import RATE, Floats, Voice, speak
from nserbench.settings import Settings

VERSION = 1
"""Increased, like the card's, if a sample of the corpus or its noises changes."""

TAKES = 10  # of each emotion by each speaker
SECONDS = (1.05, 1.6)  # shortest and longest utterance
ROOM = -55.0  # dB below full scale: the noise of a recording

#                 pitch span pace level tilt breath jitter tract
SPEAKERS = {
    "f1": Voice(12.0, 3.0, 4.6, -31.0, -2.0, -18.0, 0.012, 1.16),
    "f2": Voice(14.0, 3.5, 5.0, -30.0, -1.5, -20.0, 0.010, 1.19),
    "f3": Voice(13.0, 3.2, 4.4, -30.0, -1.7, -19.0, 0.014, 1.14),
    "f4": Voice(15.0, 3.8, 4.9, -31.0, -2.2, -17.0, 0.010, 1.18),
    "m1": Voice(1.0, 2.8, 4.3, -30.0, -1.6, -21.0, 0.012, 1.00),
    "m2": Voice(3.0, 3.4, 4.8, -31.0, -2.1, -19.0, 0.015, 1.04),
    "m3": Voice(2.0, 3.0, 4.5, -31.0, -1.9, -20.0, 0.010, 0.98),
    "m4": Voice(4.0, 3.6, 5.1, -30.0, -1.4, -18.0, 0.013, 1.05),
}
EMOTIONS = {
    "anger": Voice(4.0, 2.0, 0.8, 2.0, 6.0, -6.0, 0.010, 0.00),
    "happiness": Voice(7.0, 5.0, 0.4, 2.0, -1.0, 15.0, 0.000, 0.06),
    "neutral": Voice(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.000, 0.00),
    "sadness": Voice(-2.0, -1.5, -0.9, -2.0, -7.0, 0.0, 0.004, -0.02),
}
SPREAD = Voice(1.0, 0.8, 0.4, 1.0, 0.8, 1.5, 0.004, 0.010)
"""Standard deviation between utterances, whatever the emotion."""
STRENGTH = 0.25
"""Standard deviation of how much of an emotion is in an utterance, around 1."""
FOLDS = {"1": ("f1", "f2", "m1", "m2"), "2": ("f3", "f4", "m3", "m4")}


def load(options: Options, settings: Settings) -> Corpus:
    """Return the corpus; on first use its files are synthesised into the store."""
    folder = settings.store / "demo" / f"v{VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _make(folder)
    return Corpus(
        classes=tuple(EMOTIONS),
        utterances=list(_utterances(folder)),
        noises={name: folder / f"noise_{name}.wav" for name in NOISES},
    )


def synthesise(utterance: str) -> Floats:
    """Synthesise one utterance.

    Args:
        utterance: Id of the utterance, such as ``f1_anger_03``.

    Returns:
        ``(samples,)`` at `RATE`, the same on every call.
    """
    speaker, emotion, _ = utterance.split("_")
    rng = _generator(utterance)
    shift = rng.normal(1.0, STRENGTH) * np.array(EMOTIONS[emotion])
    spread = rng.standard_normal(len(SPREAD)) * SPREAD
    voice = Voice(*(SPEAKERS[speaker] + shift + spread))
    wave = speak(voice, rng.uniform(*SECONDS), rng)
    return wave + 10 ** (ROOM / 20) * rng.standard_normal(len(wave))


def _utterances(folder: Path) -> Iterator[Utterance]:
    for fold, speakers in FOLDS.items():
        for speaker in speakers:
            for emotion in EMOTIONS:
                for take in range(TAKES):
                    name = f"{speaker}_{emotion}_{take:02}"
                    yield Utterance(
                        id=name,
                        path=folder / f"{name}.wav",
                        label=emotion,
                        speaker=speaker,
                        fold=fold,
                    )


def _make(folder: Path) -> None:
    """Write all files into a temporary folder, then give it its name."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
        written = Path(temporary) / folder.name
        written.mkdir()
        for utterance in _utterances(written):
            _write(utterance.path, synthesise(utterance.id))
        for name, synthesise_noise in NOISES.items():
            _write(written / f"noise_{name}.wav", synthesise_noise(_generator(name)))
        try:
            written.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process wrote the same files
                raise


def _write(path: Path, wave: Floats) -> None:
    sf.write(path, wave, RATE, subtype="PCM_16")


def _generator(name: str) -> np.random.Generator:
    """Make a generator whose seed is the name of an utterance or noise."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
