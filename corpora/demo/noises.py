"""The noises of the corpus ``demo``: talkers, a park and a street, 60 s each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq

from nserbench.corpora.demo.synthesis import RATE, Floats, Voice, at_level, speak

SECONDS = 60
LEVEL = -26.0  # dB below full scale
TALKERS = 5
SONGS = 90
CARS = 9

_SAMPLES = SECONDS * RATE


def human(rng: np.random.Generator) -> Floats:
    """Synthesise babble without emotion, ``(samples,)`` at `RATE`."""
    return at_level(np.sum([_talker(rng) for _ in range(TALKERS)], axis=0), LEVEL)


def park(rng: np.random.Generator) -> Floats:
    """Synthesise birds in the wind; see `human`."""
    wave = at_level(_gusts(rng) * _coloured(rng, 60.0, 200.0), 0.0)
    for start in rng.integers(_SAMPLES - RATE, size=SONGS):
        song = _chirps(rng)
        wave[start : start + len(song)] += song
    return at_level(wave, LEVEL)


def traffic(rng: np.random.Generator) -> Floats:
    """Synthesise the rumble of a street with passing cars; see `human`."""
    wave = at_level(_coloured(rng, 30.0, 200.0), 0.0)
    tyres = at_level(_coloured(rng, 100.0, 400.0), 0.0)
    seconds = np.arange(_SAMPLES) / RATE
    for _ in range(CARS):
        nearest, width = rng.uniform(0, SECONDS), rng.uniform(1.0, 2.5)
        wave += 0.7 * tyres / (1 + ((seconds - nearest) / width) ** 2)
    return at_level(wave, LEVEL)


NOISES: Mapping[str, Callable[[np.random.Generator], Floats]] = MappingProxyType(
    {"human": human, "park": park, "traffic": traffic}
)


def _talker(rng: np.random.Generator) -> Floats:
    """Synthesise one talker, sentence after sentence."""
    sex = rng.integers(2)
    voice = Voice(
        pitch=rng.uniform(1, 4) + 11 * sex,
        span=3.0,
        pace=rng.uniform(4.2, 5.2),
        level=0.0,
        tilt=1.0,
        breath=-15.0,
        jitter=0.012,
        tract=rng.uniform(0.97, 1.05) + 0.14 * sex,
    )
    sentences = [speak(voice, 3.0, rng) for _ in range(SECONDS // 3)]
    return np.roll(np.concatenate(sentences), rng.integers(_SAMPLES))


def _coloured(rng: np.random.Generator, low: float, high: float) -> Floats:
    """Make noise that rises up to ``low`` Hz and falls steeply from ``high`` Hz."""
    hertz = rfftfreq(_SAMPLES, 1 / RATE)
    gain = hertz / (hertz + low) / (1 + (hertz / high) ** 3)
    wave: Floats = irfft(rfft(rng.standard_normal(_SAMPLES)) * gain)
    return wave


def _gusts(rng: np.random.Generator) -> Floats:
    """Make the strength of a wind that changes every two seconds."""
    strength = rng.uniform(0.5, 1.0, SECONDS // 2)
    return np.interp(
        np.linspace(0, len(strength) - 1, _SAMPLES), range(len(strength)), strength
    )


def _chirps(rng: np.random.Generator) -> Floats:
    """Synthesise one song: a note with a glide, repeated a few times."""
    seconds = np.arange(round(rng.uniform(0.06, 0.15) * RATE)) / RATE
    glide = seconds / seconds[-1]
    pitch = rng.uniform(2500, 5500) * 2 ** (rng.uniform(-0.5, 0.5) * glide)
    note = np.sin(np.pi * glide) * np.sin(2 * np.pi * np.cumsum(pitch / RATE))
    gap = np.zeros(round(rng.uniform(0.03, 0.08) * RATE))
    loudness = rng.uniform(0.05, 0.4)
    return loudness * np.tile(np.concatenate([note, gap]), rng.integers(2, 5))
