"""Synthesised noises: white, pink, and the babble of synthetic voices."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile
from scipy.fft import irfft, rfft, rfftfreq

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.demo.noises import human
from nserbench.corpora.demo.synthesis import RATE, Floats, at_level
from nserbench.corpora.noise.mixing import stable_hash
from nserbench.settings import Settings

VERSION = 1
"""Increased, like the version of the cards, if a sample of these noises changes."""

SECONDS = 60
LEVEL = -26.0  # dB below full scale
CROWDS = 4  # of five voices each

_SAMPLES = SECONDS * RATE


def white(rng: np.random.Generator) -> Floats:
    """Synthesise white noise: independent, normal ``(samples,)`` at `RATE`."""
    return at_level(rng.standard_normal(_SAMPLES), LEVEL)


def pink(rng: np.random.Generator) -> Floats:
    """Synthesise pink noise, whose power falls by 3 dB per octave; see `white`.

    It is flat below 20 Hz; otherwise most of its power would be inaudible.
    """
    return at_level(_tilted(white(rng), 20.0, -0.5), LEVEL)


def babble(rng: np.random.Generator) -> Floats:
    """Synthesise babble of twenty voices, four times `human`; see `white`.

    It has no words. Above 1 kHz we amplify it by 5 dB per octave: the demo's voices
    have less power there than the long-term average of speech (Byrne et al., JASA 96,
    1994).
    """
    voices = np.sum([human(rng) for _ in range(CROWDS)], axis=0)
    return at_level(_tilted(voices, 1000.0, 5 / 6), LEVEL)


NOISES: Mapping[str, Callable[[np.random.Generator], Floats]] = MappingProxyType(
    {"white": white, "pink": pink, "babble": babble}
)


def load(card: NoiseCard, settings: Settings) -> Path:
    """Return the file of a noise; on first use it is synthesised into the store.

    Args:
        card: A noise that is named in `NOISES`.
    """
    folder = settings.store / "noises" / f"v{VERSION}"
    file = folder / f"{card.name}.wav"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        wave = NOISES[card.name](np.random.default_rng(stable_hash(card.name)))
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as temporary:
            written = Path(temporary) / file.name
            soundfile.write(written, wave, RATE, subtype="PCM_16")
            written.replace(file)  # another process writes the same samples
    return file


def _tilted(wave: Floats, corner: float, power: float) -> Floats:
    """Scale frequencies above a corner in Hz by a power of their ratio to it."""
    hertz = np.maximum(rfftfreq(len(wave), 1 / RATE), corner)
    tilted: Floats = irfft(rfft(wave) * (hertz / corner) ** power)
    return tilted
