"""Mix noise with speech at a given SNR, with a reproducible segment of noise."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_sound
from nserbench.corpora.levels import LEVEL_CHECKS, Levels, decibels
from nserbench.errors import BadAudio, BadSpec

MIX_VERSION = 1
"""Increased if the same speech, noise, SNR and seed would give another mixture."""

HIGHEST_GAIN = 60.0
"""dB. Ours: what must be amplified by more is rounding errors in silence, not noise."""

_log = logging.getLogger(__name__)
_warned: set[tuple[str, str]] = set()  # digest of a noise, and what about it


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSegment:
    """The noise segment of one utterance.

    Attributes:
        offset: Start in the file, in samples at 16 kHz.
        wave: ``(samples,)``, 16 kHz mono.
    """

    path: Path
    offset: int
    wave: NDArray[np.float32]


class Noise(ABC):
    """A noise that can be mixed with speech.

    Attributes:
        name: Such as ``park`` in ``iemocap-park``. It determines, with the utterance
            and the seed, which segment is used.
        digest: Digest of the recording or set of files.
    """

    name: str
    digest: str

    @abstractmethod
    def segment_for(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Return the noise segment of an utterance.

        Args:
            utterance_id: Unique in the corpus.
            samples: Length of the segment at 16 kHz.
            seed: The protocol's ``mix_seed``.

        Raises:
            BadAudio: if a file cannot be used, or the segment is silent.
        """

    @abstractmethod
    def key(self, utterance_id: str, samples: int, seed: int) -> int | str:
        """Return what determines a segment, together with `digest` and its length.

        Raises:
            BadAudio: if a file has to be read for it and cannot be used.
        """


class WholeNoise(Noise):
    """A noise that is not split by folds, but can be cut."""

    @abstractmethod
    def cut(self, number: int) -> Sequence[WholeNoise]:
        """Cut the noise into a number of noises that have no sample in common.

        Raises:
            BadSpec: if it has fewer samples or files than that.
        """

    @property
    @abstractmethod
    def paths(self) -> Sequence[Path]:
        """Paths of its files."""

    @property
    @abstractmethod
    def samples(self) -> int | None:
        """Length at 16 kHz; None for a set of files, whose lengths differ."""

    def shared(self, other: WholeNoise) -> str:
        """Name the files that another noise also has; empty if there are none."""
        if self.digest == other.digest:
            return ", ".join(
                sorted({path.name for path in (*self.paths, *other.paths)})
            )
        common = {path.resolve() for path in self.paths} & {
            path.resolve() for path in other.paths
        }
        more = f" and {len(common) - 1} more files" if len(common) > 1 else ""
        return f"{min(common).name}{more}" if common else ""


@dataclass(frozen=True, slots=True, eq=False)
class Recording(WholeNoise):
    """A noise that is one file, or a part of one.

    Attributes:
        name: See `Noise`.
        wave: ``(samples,)``, 16 kHz mono.
        digest: Digest of ``wave``.
        start: Start of ``wave`` in the file, in samples at 16 kHz.
    """

    name: str
    path: Path
    wave: NDArray[np.float32]
    digest: str
    start: int = 0

    def segment_for(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Return the noise segment of an utterance; see `Noise.segment_for`."""
        offset = self.offset(utterance_id, samples, seed)
        return NoiseSegment(
            self.path, self.start + offset, self.segment(offset, samples)
        )

    def key(self, utterance_id: str, samples: int, seed: int) -> int:
        """Return the offset in the file; see `Noise.key`."""
        return self.start + self.offset(utterance_id, samples, seed)

    def cut(self, number: int) -> Sequence[Recording]:
        """Cut the recording into parts whose lengths differ by at most one sample."""
        if number > self.samples:
            raise BadSpec(
                f"noise {self.name!r} has {self.samples} samples at 16 kHz: "
                f"too few for {number} parts\n  use a longer recording"
            )
        ends = [len(self.wave) * end // number for end in range(number + 1)]
        return [
            replace(
                self,
                wave=(wave := self.wave[first:last]),
                digest=audio_digest(wave),
                start=self.start + first,
            )
            for first, last in pairwise(ends)
        ]

    @property
    def paths(self) -> Sequence[Path]:
        """The path of its file, in a list."""
        return [self.path]

    @property
    def samples(self) -> int:
        """Length at 16 kHz."""
        return len(self.wave)

    def offset(self, utterance_id: str, samples: int, seed: int) -> int:
        """Return where the segment of an utterance starts in ``wave``, in samples.

        The paper does not define it. Ours is the 64-bit BLAKE2b digest of the JSON text
        ``["UTTERANCE", "NOISE", SEED]`` modulo the number of possible offsets. So the
        segment is the same at every SNR, and whatever the order or the process. A noise
        shorter than the clip is looped and may start at any sample.
        """
        number = stable_hash(utterance_id, self.name, seed)
        return number % count_offsets(len(self.wave), samples)

    def segment(self, offset: int, samples: int) -> NDArray[np.float32]:
        """Cut out a segment, ``(samples,)``, and loop the recording at its end.

        Raises:
            BadAudio: if the segment is silent, so that no SNR can be set.
        """
        if samples > len(self.wave):
            _warn_of_loop(self.name, self.path, len(self.wave) / SAMPLE_RATE)
        segment = looped(self.wave, offset, samples)
        if segment.min() == segment.max():
            raise BadAudio(
                f"{self.path} is silent for {samples / SAMPLE_RATE:.3f} s from "
                f"{(self.start + offset) / SAMPLE_RATE:.3f} s on; "
                f"use a file without gaps for noise {self.name!r}"
            )
        return segment


@dataclass(frozen=True, slots=True, eq=False)
class NoisyWave:
    """Speech mixed with noise, and how it was mixed.

    Attributes:
        wave: ``(samples,)``; may exceed 1.0.
        offset: Start of the noise in its file, in samples at 16 kHz.
        gain: Factor on the noise.
        snr: SNR in dB, measured on ``wave``.
    """

    wave: NDArray[np.float32]
    path: Path
    offset: int
    gain: float
    snr: float


def read_noise(name: str, path: Path) -> Recording:
    """Read a noise from an audio file.

    Raises:
        BadAudio: if the file cannot be used.
    """
    sound = read_sound(path, remedy=f"use another file for noise {name!r}")
    recording = Recording(name, path, sound.wave, audio_digest(sound.wave))
    warn_of_levels(recording, path, sound.levels)
    return recording


def warn_of_levels(noise: Noise, path: Path, levels: Levels) -> None:
    """Warn of odd levels of a file of a noise, once for each kind."""
    for check in LEVEL_CHECKS:
        if check.finds(levels):
            found = f"{check.trouble}: {check.describe(str(path), levels)}"
            _warn_once(noise, check.name, found)


def stable_hash(*key: str | int) -> int:
    """Return an integer in ``[0, 2 ** 64)`` that depends on the key only."""
    text = json.dumps(key).encode("ascii")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def count_offsets(length: int, samples: int) -> int:
    """Return how many offsets a segment can have in a noise, by both lengths."""
    return length - samples + 1 if length >= samples else length


def looped(wave: NDArray[np.float32], offset: int, samples: int) -> NDArray[np.float32]:
    """Cut ``(samples,)`` out of a wave from an offset on, and loop it at its end."""
    segment: NDArray[np.float32] = wave.take(
        np.arange(offset, offset + samples), mode="wrap"
    )
    return segment


def add_noise(
    speech: NDArray[np.float32],
    noise: Noise,
    utterance_id: str,
    snr: float,
    seed: int,
) -> NoisyWave:
    """Mix an utterance with its noise segment.

    Args:
        speech: ``(samples,)``, 16 kHz.
        utterance_id: Unique in the corpus; with the noise's name and the seed, it
            determines the segment.
        snr: SNR in dB.
        seed: The protocol's ``mix_seed``.

    Raises:
        ValueError: if the speech is silent.
        BadAudio: if the noise segment is silent, or cannot be read.
    """
    segment = noise.segment_for(utterance_id, len(speech), seed)
    wave, gain = mix(speech, segment.wave, snr)
    if (amplified := decibels(gain)) > HIGHEST_GAIN:
        _warn_once(
            noise,
            "gain",
            f"it is amplified by {amplified:.0f} dB for {utterance_id}: "
            f"{segment.path} is almost silent from "
            f"{segment.offset / SAMPLE_RATE:.3f} s on; use a file without gaps",
        )
    measured = measured_snr(speech, wave.astype(np.float64) - speech)
    return NoisyWave(wave, segment.path, segment.offset, gain, measured)


def mix(
    speech: NDArray[np.float32], noise: NDArray[np.float32], snr: float
) -> tuple[NDArray[np.float32], float]:
    """Add noise to speech at a signal-to-noise ratio.

    The paper does not define the ratio. Ours is the ratio of mean powers over the
    whole clip, pauses included; a constant offset does not count as power. The sum is
    neither clipped nor scaled, so the level of the speech does not depend on the SNR.

    Args:
        speech: ``(samples,)``, full scale at 1.0.
        noise: ``(samples,)``. Its mean is removed.
        snr: SNR in dB. At 0 both have the same power; below 0 the noise has more.

    Returns:
        The sum ``(samples,)``, which may exceed 1.0, and the factor on the noise.

    Raises:
        ValueError: if the lengths differ, or either is silent.

    Examples:
        >>> speech = np.array([0.5, -0.5], dtype=np.float32)
        >>> noise = np.array([0.3, 0.1], dtype=np.float32)
        >>> mixed, gain = mix(speech, noise, snr=20.0)
        >>> mixed, round(gain, 6)
        (array([ 0.55, -0.55], dtype=float32), 0.5)
    """
    if speech.shape != noise.shape:
        raise ValueError(
            f"speech has {len(speech)} samples and noise {len(noise)}: "
            "cut the noise to the speech first"
        )
    power = _power(speech, "speech"), _power(noise, "noise")
    gain = math.sqrt(power[0] / power[1] / 10 ** (snr / 10))
    return (speech + gain * _centred(noise)).astype(np.float32), gain


def measured_snr(speech: NDArray[np.floating], added: NDArray[np.floating]) -> float:
    """Measure a signal-to-noise ratio as `mix` defines it, in dB.

    Args:
        speech: ``(samples,)``.
        added: ``(samples,)``. What was added to it, such as mixture minus speech.

    Raises:
        ValueError: if either is silent.
    """
    return 10 * math.log10(_power(speech, "speech") / _power(added, "noise"))


def _centred(wave: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = wave.astype(np.float64)
    centred: NDArray[np.float64] = wide - wide.mean()
    return centred


def _power(wave: NDArray[np.floating], name: str) -> float:
    power = float(np.mean(np.square(_centred(wave))))
    if power == 0.0:
        raise ValueError(f"no SNR can be set: the {name} is silent throughout")
    return power


def _warn_once(noise: Noise, about: str, message: str) -> None:
    """Log a warning about a noise, once in this process."""
    if (noise.digest, about) not in _warned:
        _warned.add((noise.digest, about))
        _log.warning("noise %r: %s", noise.name, message)


@functools.cache  # once for each noise, not for each utterance
def _warn_of_loop(name: str, path: Path, seconds: float) -> None:
    _log.warning(
        "noise %r is looped: some utterances last longer than the %.3f s of %s",
        name,
        seconds,
        path,
    )
