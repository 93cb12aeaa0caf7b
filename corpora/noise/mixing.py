"""Noise under speech, at a chosen level and from a reproducible place."""

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

from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_audio
from nserbench.errors import BadAudio, BadSpec

MIX_VERSION = 1
"""Raised whenever the same speech, noise, SNR and seed would give another mix."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSegment:
    """A stretch of noise for one utterance.

    Attributes:
        path: The file it is from.
        offset: Where it starts in the file, in samples at 16 kHz.
        wave: ``(samples,)``, 16 kHz mono.
    """

    path: Path
    offset: int
    wave: NDArray[np.float32]


class Noise(ABC):
    """What can be laid under speech.

    Attributes:
        name: As in ``iemocap-park``. It decides, with the utterance and the seed,
            which part is laid under.
        digest: Identifies what parts are drawn from.
    """

    name: str
    digest: str

    @abstractmethod
    def part(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Give the part of a length in samples that belongs to an utterance.

        Raises:
            BadAudio: if a file cannot be used, or is silent there.
        """

    @abstractmethod
    def key(self, utterance_id: str, samples: int, seed: int) -> int | str:
        """Give what decides the samples of a part besides `digest` and its length.

        Raises:
            BadAudio: if a file has to be read for it and cannot be used.
        """


class WholeNoise(Noise):
    """A noise as it was opened, which can be cut into several."""

    @abstractmethod
    def cut(self, number: int) -> Sequence[WholeNoise]:
        """Return so many noises of its name that have no sample in common.

        Raises:
            BadSpec: if there is too little of it.
        """

    @property
    @abstractmethod
    def paths(self) -> Sequence[Path]:
        """The files that parts are drawn from."""

    @property
    @abstractmethod
    def samples(self) -> int | None:
        """How long it is, at 16 kHz; None of a set, whose files differ."""

    def shared(self, other: WholeNoise) -> str:
        """Say which files another noise is drawn from as well; empty if from none."""
        if self.digest == other.digest:
            return ", ".join(
                sorted({path.name for path in (*self.paths, *other.paths)})
            )
        both = {path.resolve() for path in self.paths} & {
            path.resolve() for path in other.paths
        }
        more = f" and {len(both) - 1} more files" if len(both) > 1 else ""
        return f"{min(both).name}{more}" if both else ""


@dataclass(frozen=True, slots=True, eq=False)
class Recording(WholeNoise):
    """A noise that is one file, or a stretch of one.

    Attributes:
        name: See `Noise`.
        path: Where it was read from.
        wave: ``(samples,)``, 16 kHz mono.
        digest: Of ``wave``.
        start: Where ``wave`` starts in the file, in samples at 16 kHz.
    """

    name: str
    path: Path
    wave: NDArray[np.float32]
    digest: str
    start: int = 0

    def part(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Cut out the part for an utterance; see `Noise.part`."""
        offset = self.offset(utterance_id, samples, seed)
        return NoiseSegment(
            self.path, self.start + offset, self.segment(offset, samples)
        )

    def key(self, utterance_id: str, samples: int, seed: int) -> int:
        """Give the offset in the file; see `Noise.key`."""
        return self.start + self.offset(utterance_id, samples, seed)

    def cut(self, number: int) -> Sequence[Recording]:
        """Cut the recording into stretches of one length, up to a sample."""
        if number > self.samples:
            raise BadSpec(
                f"noise {self.name!r} has {self.samples} samples at 16 kHz: "
                f"too few for {number} parts"
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
        """The one file."""
        return [self.path]

    @property
    def samples(self) -> int:
        """How long it is; see `Noise.samples`."""
        return len(self.wave)

    def offset(self, utterance_id: str, samples: int, seed: int) -> int:
        """Choose where the part for an utterance starts, in samples.

        The paper does not say. We draw it uniformly from all places, by the 64-bit
        BLAKE2b of the JSON text ``["UTTERANCE", "NOISE", SEED]`` modulo their number:
        the same at every SNR, so that levels are compared on the same noise, and in
        every order and process. A noise shorter than the clip may start anywhere,
        since it is looped.
        """
        number = drawn(utterance_id, self.name, seed)
        return number % places(len(self.wave), samples)

    def segment(self, offset: int, samples: int) -> NDArray[np.float32]:
        """Cut out a part, ``(samples,)``, looping where the end is reached.

        Raises:
            BadAudio: if the part is silent, so that no level can be set.
        """
        if samples > len(self.wave):
            _warn_of_loop(self.name, self.path, len(self.wave) / SAMPLE_RATE)
        part = looped(self.wave, offset, samples)
        if part.min() == part.max():
            raise BadAudio(
                f"{self.path} is silent for {samples / SAMPLE_RATE:.3f} s from "
                f"{(self.start + offset) / SAMPLE_RATE:.3f} s on; "
                f"give noise {self.name!r} a file without gaps"
            )
        return part


@dataclass(frozen=True, slots=True, eq=False)
class NoisyWave:
    """Speech with noise under it, and what was done to get it.

    Attributes:
        wave: ``(samples,)``, beyond 1.0 where the sum is.
        path: The file that the noise is from.
        offset: Where the noise starts in its file, in samples at 16 kHz.
        gain: What the noise was multiplied with.
        snr: dB, measured on ``wave``.
    """

    wave: NDArray[np.float32]
    path: Path
    offset: int
    gain: float
    snr: float


def read_noise(name: str, path: Path) -> Recording:
    """Read a noise from any audio file.

    Raises:
        BadAudio: if the file cannot be used.
    """
    wave = read_audio(path, remedy=f"give noise {name!r} another file")
    return Recording(name, path, wave, audio_digest(wave))


def drawn(*key: str | int) -> int:
    """Draw a whole number in ``[0, 2 ** 64)`` that depends on a key alone."""
    text = json.dumps(key).encode("ascii")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def places(length: int, samples: int) -> int:
    """Count where a part can start in a noise of a length, both in samples."""
    return length - samples + 1 if length >= samples else length


def looped(wave: NDArray[np.float32], offset: int, samples: int) -> NDArray[np.float32]:
    """Give ``(samples,)`` of a wave from an offset on, starting over at its end."""
    part: NDArray[np.float32] = wave.take(
        np.arange(offset, offset + samples), mode="wrap"
    )
    return part


def add_noise(
    speech: NDArray[np.float32],
    noise: Noise,
    utterance_id: str,
    snr: float,
    seed: int,
) -> NoisyWave:
    """Lay under an utterance the part of a noise that belongs to it.

    Args:
        speech: ``(samples,)``, 16 kHz.
        noise: What to lay under.
        utterance_id: Unique in the corpus; decides the part, with the noise's name.
        snr: dB.
        seed: Another one gives other parts.

    Raises:
        ValueError: if the speech is silent.
        BadAudio: if the part of the noise is silent, or cannot be read.
    """
    part = noise.part(utterance_id, len(speech), seed)
    wave, gain = mix(speech, part.wave, snr)
    added = wave.astype(np.float64) - speech
    return NoisyWave(wave, part.path, part.offset, gain, measured_snr(speech, added))


def mix(
    speech: NDArray[np.float32], noise: NDArray[np.float32], snr: float
) -> tuple[NDArray[np.float32], float]:
    """Add noise to speech at a signal-to-noise ratio.

    The paper does not define the ratio. We take that of mean power over the whole
    clip, pauses included, a constant offset not counted as power. The sum is neither
    clipped nor scaled: a head that hears loudness would hear the noise level.

    Args:
        speech: ``(samples,)``, full scale at 1.0.
        noise: ``(samples,)``. Its mean is removed.
        snr: dB. At 0 both have the same power; below 0 the noise is the louder.

    Returns:
        The sum ``(samples,)``, beyond 1.0 where it is, and the factor on the noise.

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
        added: ``(samples,)``. What was added to it, such as a mixture less the speech.

    Raises:
        ValueError: if either is silent.
    """
    return 10 * math.log10(_power(speech, "speech") / _power(added, "noise"))


def _centred(wave: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = wave.astype(np.float64)
    centred: NDArray[np.float64] = wide - wide.mean()
    return centred


def _power(wave: NDArray[np.floating], what: str) -> float:
    power = float(np.mean(np.square(_centred(wave))))
    if power == 0.0:
        raise ValueError(f"no SNR can be set: the {what} is silent throughout")
    return power


@functools.cache  # once for each noise, not for each utterance
def _warn_of_loop(name: str, path: Path, seconds: float) -> None:
    _log.warning(
        "noise %r is looped: some utterances last longer than the %.3f s of %s",
        name,
        seconds,
        path,
    )
