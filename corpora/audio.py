"""Read audio files as 16 kHz mono, or refuse them by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from nserbench.corpora.audio_files import AudioFile, open_audio
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels, Meter
from nserbench.corpora.sound_files import Block
from nserbench.errors import BadAudio

SAMPLE_RATE = 16_000
"""Hz. All audio is resampled to this rate when it is read."""

REMEDY = "replace the file, or exclude the utterance with exclude=FILE"
END_SLACK = 0.1  # seconds; the times in published lists are often rounded up
CHANNELS = ("centre", "downmix")


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio that has been read.

    Attributes:
        wave: ``(samples,)``, mono at `SAMPLE_RATE`, full scale at 1.0.
        levels: How loud it is.
    """

    wave: NDArray[np.float32]
    levels: Levels


def read_utterance(utterance: Utterance, *, remedy: str = REMEDY) -> Sound:
    """Read the audio of an utterance; see `read_sound`."""
    span = utterance.start, utterance.end
    return read_sound(utterance.path, *span, utterance.channel, remedy=remedy)


def read_audio(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    channel: str | None = None,
    *,
    remedy: str = REMEDY,
) -> NDArray[np.float32]:
    """Return the samples of `read_sound` without their levels."""
    return read_sound(path, start, end, channel, remedy=remedy).wave


def read_sound(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    channel: str | None = None,
    *,
    remedy: str = REMEDY,
) -> Sound:
    """Read a file, or the part of it between two times.

    The channels are mixed or one is chosen; then only the wanted part is resampled
    (soxr, HQ). Only the result is kept in memory.

    Of a container, the first audio stream is read. Samples that an AAC encoder adds
    before the beginning are skipped if the container marks them. Samples that fill up
    the last AAC frame stay: at most 1023, which is 21 ms at 48 kHz.

    Args:
        path: A file of any format that libsndfile reads, or a container that FFmpeg
            reads (`nserbench.corpora.containers.SUFFIXES`), at any rate.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        channel: ``"centre"`` for the centre channel, where films have their dialogue,
            or for the first channel if there is no centre (such as in stereo).
            ``"downmix"`` or None for the mean of all channels.
        remedy: Advice at the end of the message if the file cannot be used.

    Returns:
        At least one sample.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, ends more than 0.1 s
            before ``end``, or if the wanted part has no samples, has samples that are
            NaN or infinite, or is silent (all samples equal).
        ValueError: if ``channel`` is something else.
    """
    if channel is not None and channel not in CHANNELS:
        raise ValueError(f"channel is {channel!r}, not one of {', '.join(CHANNELS)}")
    with named_errors(path, remedy):
        with open_audio(path) as audio:
            sound = _Mono(audio.rate, channel)
            for block in wanted_blocks(audio, start, end):
                sound.add(block)
        return sound.finished()


def sound_of(samples: NDArray[np.float32], rate: int, *, name: str) -> Sound:
    """Return samples in memory as `read_sound` returns those of a file.

    Args:
        samples: ``(samples,)``, mono, full scale at 1.0.
        rate: Sampling rate in Hz.
        name: What messages call them.

    Raises:
        BadAudio: if there are no samples, or they are silent, NaN or infinite.
    """
    with named_errors(Path(name), "use other samples"):
        sound = _Mono(rate, None)
        sound.add(Block(0, samples[None], 0))
        return sound.finished()


@contextmanager
def named_errors(path: Path, remedy: str) -> Iterator[None]:
    """Add the path of a file and an advice to a `BadAudio` of the ``with`` block."""
    try:
        yield
    except BadAudio as problem:
        raise BadAudio(f"{path} {problem}; {remedy}") from problem.__cause__


def audio_digest(wave: NDArray[np.float32]) -> str:
    """Return the hexadecimal 128-bit BLAKE2b digest of the samples ``(samples,)``."""
    samples = np.ascontiguousarray(wave, dtype="<f4")
    return hashlib.blake2b(samples.data, digest_size=16).hexdigest()


def wanted_blocks(
    audio: AudioFile, start: float | None, end: float | None
) -> Iterator[Block]:
    """Decode the frames between two times in seconds.

    Raises:
        BadAudio: if there are none, or they end more than 0.1 s before ``end``.
    """
    first = round((start or 0.0) * audio.rate)
    last = None if end is None else round(end * audio.rate)
    length = found = 0
    for block in audio.blocks(first, last):
        length = block.first + block.frames.shape[1]
        begin = max(first - block.first, 0)
        stop = length if last is None else last
        frames = block.frames[:, begin : max(stop - block.first, 0)]
        if found_now := frames.shape[1]:
            found += found_now
            yield Block(block.first + begin, frames, block.centre)
    seconds = (length or audio.frames or 0) / audio.rate
    if not found:
        part = f" from {start} s on" if start else ""
        raise BadAudio(f"holds no samples{part}: it lasts {seconds:.3f} s")
    if end is not None and end > seconds + END_SLACK:
        raise BadAudio(f"lasts {seconds:.3f} s, but is wanted up to {end} s")


class _Mono:
    """Mixes blocks to mono, resamples and measures them."""

    def __init__(self, rate: int, channel: str | None) -> None:
        self._channel = channel
        self._channels, self._mono, self._read = Meter(), Meter(), Meter()
        self._pieces: list[NDArray[np.float32]] = []
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")

    def add(self, block: Block) -> None:
        """Add the next frames.

        Raises:
            BadAudio: if samples of a wanted channel are not finite.
        """
        wanted = block.frames
        if self._channel == "centre":
            wanted = wanted[[block.centre]]
        if not np.isfinite(wanted).all():
            raise BadAudio("has samples that are NaN or infinite")
        self._channels.add(wanted)
        mono = wanted.mean(axis=0, dtype=np.float32)
        self._mono.add(mono)
        self._keep(mono if self._stream is None else self._stream.resample_chunk(mono))

    def finished(self) -> Sound:
        """Return all that was added.

        Raises:
            BadAudio: if it is too short, silent or not finite.
        """
        if self._stream is not None:
            rest = np.empty(0, np.float32)
            self._keep(self._stream.resample_chunk(rest, last=True))
        if self._mono.silent and not self._channels.silent:
            raise BadAudio("is silent as mono: its channels cancel out")
        _refuse_unusable(self._mono)
        _refuse_unusable(self._read)
        share = self._mono.rms / self._channels.rms if self._channels.rms else 1.0
        levels = Levels(self._read.peak, self._read.deviation, share)
        return Sound(np.concatenate(self._pieces), levels)

    def _keep(self, samples: NDArray[np.float32]) -> None:
        self._read.add(samples)
        self._pieces.append(samples)


def _refuse_unusable(samples: Meter) -> None:
    """Refuse what is empty, not finite or silent."""
    if not samples.count:
        raise BadAudio("is too short for a single sample at 16 kHz")
    if not np.isfinite(samples.peak):
        raise BadAudio("has samples that are NaN or infinite")
    if samples.silent:
        raise BadAudio("is silent throughout: all samples are equal")
