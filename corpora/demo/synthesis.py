"""A source-filter synthesiser: one speech-like utterance from a few numbers.

Glottal pulses and noise (the source) pass through the moving resonances of a vocal
tract (the filter; Fant, Acoustic Theory of Speech Production, 1960).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.ndimage import gaussian_filter1d

RATE = 16_000  # Hz

Floats = NDArray[np.float64]

_HOP = 128  # samples between frames
_OVERLAP = 4  # frames that every sample is in
_WINDOW = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, _HOP * _OVERLAP + 1)[:-1])
"""A periodic Hann window; the import of `scipy.signal` would take half a second."""
_BINS = rfftfreq(len(_WINDOW), 1 / RATE)  # Hz
_BANDWIDTHS = (70.0, 100.0, 160.0, 250.0)  # Hz, of the four formants
_FOURTH = np.array(3500.0)  # Hz: the fourth formant hardly moves
_SHARES = (0.5, 0.35, 0.65)  # of a syllable's time: pause, consonant, vowel
_PAUSES = 0.12  # share of syllables with a pause before them
_OPEN, _CLOSE = 0.4, 0.6  # of a period: the glottis is widest, is closed
_EDGE = 0.06  # seconds of silence before and after the syllables
_BLUR = (
    1.6  # frames: standard deviation of the smoothing between phones (coarticulation)
)


class Voice(NamedTuple):
    """How an utterance is spoken, in units that can be added.

    Attributes:
        pitch: Mean, in semitones above 100 Hz.
        span: Height of the pitch accents in semitones.
        pace: Syllables per second.
        level: Root mean square in dB relative to full scale, so below 0.
        tilt: Slope of the voiced spectrum above 500 Hz in dB per octave, added to
            that of the glottal pulse.
        breath: Aspiration noise in dB relative to the pulses.
        jitter: Standard deviation of the period, as a fraction. The shimmer (of the
            pulses' height) is five times as large.
        tract: Formant frequencies relative to an adult male's.
    """

    pitch: float
    span: float
    pace: float
    level: float
    tilt: float
    breath: float
    jitter: float
    tract: float


class _Phone(NamedTuple):
    """Acoustic targets of one phone.

    Attributes:
        first: First formant in Hz; ``second`` and ``third`` likewise.
        voice: Height of the voiced part, 1 for a vowel.
        hiss: Height of the fricative noise.
        centre: Middle of that noise in Hz.
    """

    first: float
    second: float
    third: float
    voice: float
    hiss: float
    centre: float


# Five men's vowels of Peterson and Barney, JASA 24 (1952), Table II. The consonants
# are ours: rough, but enough to break the vowels up as speech does.
_VOWELS = np.array(
    [
        _Phone(270, 2290, 3010, 1.0, 0.0, 4000),
        _Phone(530, 1840, 2480, 1.0, 0.0, 4000),
        _Phone(730, 1090, 2440, 1.0, 0.0, 4000),
        _Phone(570, 840, 2410, 1.0, 0.0, 4000),
        _Phone(300, 870, 2240, 1.0, 0.0, 4000),
    ]
)
_CONSONANTS = np.array(
    [
        _Phone(300, 1700, 2600, 0.0, 0.25, 6000),  # s
        _Phone(300, 1800, 2500, 0.0, 0.25, 3500),  # sh
        _Phone(300, 1000, 2300, 0.0, 0.08, 5000),  # f
        _Phone(300, 1700, 2600, 0.4, 0.12, 5500),  # z
        _Phone(250, 1100, 2200, 0.3, 0.0, 4000),  # m
        _Phone(350, 1300, 2700, 0.5, 0.0, 4000),  # l
        _Phone(300, 1700, 2600, 0.0, 0.0, 4000),  # the closure of a stop
    ]
)
_SILENCE = np.array(_Phone(500, 1500, 2500, 0.0, 0.0, 4000))


def speak(voice: Voice, seconds: float, rng: np.random.Generator) -> Floats:
    """Synthesise random syllables, ``(samples,)`` at `RATE`, full scale at 1.0."""
    samples = round(seconds * RATE)
    times = np.arange(-1, -(-samples // _HOP) + _OVERLAP - 2) * _HOP / RATE
    phones, accents = _script(voice, seconds, times, rng)
    pitch = np.interp(np.arange(samples) / RATE, times, _pitch(voice, accents))
    pulses = _spectra(_pulses(voice, pitch, rng))
    noise = _spectra(rng.standard_normal(samples))

    *formants, voiced, hiss, centre = phones.T[..., None]
    source = pulses * _tilt(voice.tilt) + 10 ** (voice.breath / 20) * noise
    tract = _tract([voice.tract * formant for formant in [*formants, _FOURTH]])
    spectra = voiced * tract * source + hiss * _band(voice.tract * centre) * noise
    return at_level(_wave(spectra)[:samples], voice.level)


def at_level(wave: Floats, level: float) -> Floats:
    """Scale a wave to a root mean square in dB relative to full scale."""
    scaled: Floats = wave * 10 ** (level / 20) / np.sqrt(np.mean(wave**2))
    return scaled


def _script(
    voice: Voice, seconds: float, times: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw syllables: sometimes a pause, then a consonant and a vowel.

    Returns:
        The numbers of a `_Phone`, ``(times, 6)``, and how far a pitch accent raises
        the voice, from 0 to 1, ``(times,)``.
    """
    syllables = max(2, round((seconds - 2 * _EDGE) * voice.pace))
    order = rng.permutation(
        syllables
    )  # so that all phones have about the same frequency
    onsets = _CONSONANTS[order % len(_CONSONANTS)]
    nuclei = _VOWELS[rng.permutation(order) % len(_VOWELS)]
    shares = rng.uniform(0.7, 1.3, (syllables, 3)) * _SHARES
    shares[:, 0] *= rng.random(syllables) < _PAUSES
    accented = rng.random(syllables) < 0.5

    pauses = np.broadcast_to(_SILENCE, onsets.shape)
    spoken = np.stack([pauses, onsets, nuclei], axis=1).reshape(-1, len(_SILENCE))
    ends = _EDGE + np.cumsum(shares) / np.sum(shares) * (seconds - 2 * _EDGE)
    index = np.searchsorted([_EDGE, *ends], times)
    phones = np.vstack([_SILENCE, spoken, _SILENCE])[index]
    accents = np.pad(np.repeat(accented.astype(float), 3), 1)[index]
    return (
        gaussian_filter1d(phones, _BLUR, axis=0),
        gaussian_filter1d(accents, 4 * _BLUR),
    )


def _pitch(voice: Voice, accents: Floats) -> Floats:
    """Return the pitch in Hz of each frame: accents on a falling line."""
    fall = np.linspace(1.0, -1.0, len(accents))  # semitones
    semitones = voice.pitch + fall + voice.span * (accents - 0.5)
    return 100.0 * 2 ** (semitones / 12)


def _pulses(voice: Voice, pitch: Floats, rng: np.random.Generator) -> Floats:
    """Synthesise the derivative of the glottal flow, with unit power.

    The flow is Rosenberg's pulse C (JASA 49, 1971): half a cosine up, a quarter of a
    cosine down, then zero.
    """
    cycle = np.cumsum(pitch / RATE).astype(int)
    noise = rng.standard_normal((2, cycle[-1] + 1))
    uneven = pitch * np.exp(voice.jitter * noise[0])[cycle]
    phase = np.cumsum(uneven / RATE) % 1.0

    closing = _CLOSE - _OPEN
    up = 0.5 / _OPEN * np.sin(np.pi * phase / _OPEN)
    down = -0.5 / closing * np.sin(0.5 * np.pi * (phase - _OPEN) / closing)
    flow = np.where(phase < _OPEN, up, np.where(phase < _CLOSE, down, 0.0))
    flow *= np.exp(5 * voice.jitter * noise[1])[cycle]
    return at_level(flow, 0.0)


def _spectra(wave: Floats) -> NDArray[np.complex128]:
    """Return the spectra ``(frames, bins)`` of overlapping frames."""
    edge = len(_WINDOW) - _HOP
    padded = np.pad(wave, (edge, edge - len(wave) % -_HOP))
    frames = sliding_window_view(padded, len(_WINDOW))[::_HOP]
    spectra: NDArray[np.complex128] = rfft(frames * _WINDOW)
    return spectra


def _wave(spectra: NDArray[np.complex128]) -> Floats:
    """Overlap and add the frames, up to a constant factor."""
    frames = irfft(spectra) * _WINDOW
    parts = frames.reshape(len(frames), _OVERLAP, _HOP)
    wave = np.zeros((len(frames) + _OVERLAP - 1, _HOP))
    for index in range(_OVERLAP):
        wave[index : index + len(frames)] += parts[:, index]
    return wave.ravel()[len(_WINDOW) - _HOP :]


def _tract(formants: Iterable[Floats]) -> Floats:
    """Return the gain ``(frames, bins)`` of resonators at ``(frames, 1)`` Hz each.

    Their phase is ignored: it takes most of the time, and no spectrogram shows it.
    """
    once, twice = (np.cos(2 * np.pi * n * _BINS / RATE) for n in (1, 2))
    power = np.ones_like(_BINS)
    for formant, bandwidth in zip(formants, _BANDWIDTHS, strict=True):
        q = np.exp(-2 * np.pi * bandwidth / RATE)
        p = 2 * np.sqrt(q) * np.cos(2 * np.pi * formant / RATE)
        shape = 1 + p**2 + q**2 - 2 * p * (1 + q) * once + 2 * q * twice
        power = power * (1 - p + q) ** 2 / shape
    return np.sqrt(power)


def _tilt(slope: float) -> Floats:
    """Return the gain ``(bins,)`` of a slope in dB per octave above 500 Hz."""
    return 10 ** (slope * np.log2(np.maximum(_BINS, 500.0) / 500.0) / 20)


def _band(centre: Floats) -> Floats:
    """Return the gain ``(frames, bins)`` of a band around each ``(frames, 1)`` Hz."""
    octaves = np.log2(np.maximum(_BINS, 1.0) / centre)
    gain: Floats = np.exp(-2 * octaves**2)
    return gain
