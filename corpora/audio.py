"""Read audio files as 16 kHz mono, or refuse them by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from nserbench.corpora.base import Utterance
from nserbench.errors import BadAudio

SAMPLE_RATE = 16_000
"""Hz. All audio is resampled to this rate when it is read."""

REMEDY = "replace the file, or exclude the utterance with exclude=FILE"
END_SLACK = 0.1  # seconds; the times in published lists are often rounded up
CONTAINERS = frozenset({".avi", ".m4a", ".mkv", ".mp4", ".webm"})
"""Endings of the files that are read by FFmpeg; libsndfile reads all others."""
CHANNELS = ("centre", "downmix")

_THIRD_IS_CENTRE = {3, 5, 6, 7, 8}  # numbers of channels of a WAV or FLAC file

_DATA_SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*: (?P<claimed>\d+) \(should be (?P<actual>\d+)\)",
    re.MULTILINE,
)
_UNKNOWN_SIZE = 0x7FFF_0000  # bytes; programs that write to a pipe claim this or more


def read_utterance(utterance: Utterance) -> NDArray[np.float32]:
    """Read the audio of an utterance; see `read_audio`."""
    return read_audio(utterance.path, utterance.start, utterance.end, utterance.channel)


def read_audio(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    channel: str | None = None,
    *,
    remedy: str = REMEDY,
) -> NDArray[np.float32]:
    """Read a file, or the part of it between two times.

    The channels are mixed or one is chosen; then only the wanted part is resampled
    (soxr, HQ).

    Of a container, the first audio stream is read. Samples that an AAC encoder adds
    before the beginning are skipped if the container marks them. Samples that fill up
    the last AAC frame stay: at most 1023, which is 21 ms at 48 kHz.

    Args:
        path: A file of any format that libsndfile reads, or one of `CONTAINERS`, at
            any rate.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        channel: ``"centre"`` for the centre channel, where films have their dialogue,
            or for the first channel if there is no centre (such as in stereo).
            ``"downmix"`` or None for the mean of all channels.
        remedy: Advice at the end of the message if the file cannot be used.

    Returns:
        ``(samples,)``, mono at `SAMPLE_RATE`, full scale at 1.0, at least one sample.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, ends more than 0.1 s
            before ``end``, or if the wanted part has no samples, has samples that are
            NaN or infinite, or is silent (all samples equal).
        ValueError: if ``channel`` is something else.
    """
    if channel is not None and channel not in CHANNELS:
        raise ValueError(f"channel is {channel!r}, not one of {', '.join(CHANNELS)}")
    try:
        wave, rate = _read(path, start, end, channel)
        wave = _checked(wave)
        if rate != SAMPLE_RATE:
            wave = _checked(soxr.resample(wave, rate, SAMPLE_RATE, quality="HQ"))
        return wave
    except BadAudio as problem:
        raise BadAudio(f"{path} {problem}; {remedy}") from problem.__cause__


def audio_digest(wave: NDArray[np.float32]) -> str:
    """Return the hexadecimal 128-bit BLAKE2b digest of the samples ``(samples,)``."""
    samples = np.ascontiguousarray(wave, dtype="<f4")
    return hashlib.blake2b(samples.data, digest_size=16).hexdigest()


def _read(
    path: Path, start: float | None, end: float | None, channel: str | None
) -> tuple[NDArray[np.float32], int]:
    """Return the wanted part, mono, ``(samples,)``, and its rate in Hz."""
    suffix = path.suffix.lower()
    if suffix == ".raw":
        raise BadAudio("cannot be read (a raw file has no header with its rate)")
    read = _from_container if suffix in CONTAINERS else _from_file
    with library_errors(path):
        return read(path, start, end, channel)


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system, FFmpeg and libsndfile into `BadAudio`.

    Args:
        path: The file that is read in the ``with`` block.

    Raises:
        BadAudio: if the file cannot be opened, or the block raises such an error.
    """
    try:
        path.open("rb").close()  # its errors say more than those of the libraries
        yield
    except (OSError, av.FFmpegError) as error:
        raise BadAudio(f"cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"cannot be read ({reason})") from error


def _from_file(
    path: Path, start: float | None, end: float | None, channel: str | None
) -> tuple[NDArray[np.float32], int]:
    with soundfile.SoundFile(path) as audio:
        refuse_cut_off(audio.extra_info)
        rate: int = audio.samplerate
        first, last = _span(audio.frames, rate, start, end)
        audio.seek(first)
        frames = audio.read(last - first, dtype="float32", always_2d=True)
    if len(frames) < last - first:
        raise BadAudio(f"is cut off after {(first + len(frames)) / rate:.3f} s")
    centre = 2 if frames.shape[1] in _THIRD_IS_CENTRE else 0
    return _mono(frames.T, centre, channel), rate


def _from_container(
    path: Path, start: float | None, end: float | None, channel: str | None
) -> tuple[NDArray[np.float32], int]:
    with av.open(path) as container:
        if not container.streams.audio:
            raise BadAudio("has no sound: none of its streams is audio")
        refuse_lost_packets(path, container)
        waves = [np.empty(0, np.float32)]
        for frame in _decoded(container):
            names = [layout_channel.name for layout_channel in frame.layout.channels]
            centre = names.index("FC") if "FC" in names else 0
            waves.append(_mono(frame.to_ndarray(), centre, channel))
        rate = container.streams.audio[0].codec_context.sample_rate
    wave = np.concatenate(waves)
    first, last = _span(len(wave), rate, start, end)
    return wave[first:last], rate


def _decoded(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Decode the first audio stream to frames of floats, ``(channels, samples)``."""
    stream = container.streams.audio[0]
    floats = av.AudioResampler(format="fltp")
    reached = 0.0
    for packet in container.demux():
        if packet.pts is not None:
            last = packet.pts + (packet.duration or 0)
            reached = max(reached, float(last * packet.time_base))
        if packet.stream is stream:
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):  # always so; for the type checker
                    yield from floats.resample(frame)
    if "matroska" in container.format.name and container.duration is not None:
        claimed = container.duration / av.time_base
        if reached < claimed - END_SLACK:
            raise BadAudio(f"is cut off: {reached:.3f} of {claimed:.3f} s are there")


def refuse_lost_packets(path: Path, container: av.container.InputContainer) -> None:
    """Refuse a container that lost its end; FFmpeg reads it without an error.

    Raises:
        BadAudio: if the file is shorter than the container says.
    """
    if container.format.name == "avi":
        with path.open("rb") as file:
            claimed = 8 + int.from_bytes(file.read(8)[4:], "little")
    else:
        index = container.streams.audio[0].index_entries
        claimed = max((entry.pos + entry.size for entry in index), default=0)
    if claimed > container.size:
        raise BadAudio(f"is cut off: {container.size} of {claimed} bytes are there")


def _mono(
    frames: NDArray[Any], centre: int, channel: str | None
) -> NDArray[np.float32]:
    """Mix or choose one channel ``(samples,)`` of floats ``(channels, samples)``."""
    wanted = frames[[centre]] if channel == "centre" else frames
    if not np.isfinite(wanted).all():
        raise BadAudio("has samples that are NaN or infinite")
    mono: NDArray[np.float32] = wanted.mean(axis=0, dtype=np.float32)
    return mono


def refuse_cut_off(log: str) -> None:
    """Refuse a WAV or AIFF file that lost its end; libsndfile only logs this.

    Raises:
        BadAudio: if the file is shorter than its header says.
    """
    if size := _DATA_SIZE.search(log):
        claimed, actual = int(size["claimed"]), int(size["actual"])
        if actual < claimed < _UNKNOWN_SIZE:
            raise BadAudio(
                f"is cut off: {actual} of {claimed} bytes of audio are there"
            )


def _span(
    frames: int, rate: int, start: float | None, end: float | None
) -> tuple[int, int]:
    """Return the first wanted frame, and the frame after the last wanted one."""
    first = round((start or 0.0) * rate)
    last = frames if end is None else min(frames, round(end * rate))
    if first >= last:
        part = f" from {start} s on" if start else ""
        raise BadAudio(f"holds no samples{part}: it lasts {frames / rate:.3f} s")
    if end is not None and end > frames / rate + END_SLACK:
        raise BadAudio(f"lasts {frames / rate:.3f} s, but is wanted up to {end} s")
    return first, last


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples, or refuse what is empty, not finite or silent."""
    if not samples.size:
        raise BadAudio("is too short for a single sample at 16 kHz")
    if not np.isfinite(samples).all():
        raise BadAudio("has samples that are NaN or infinite")
    if samples.min() == samples.max():
        raise BadAudio("is silent throughout: all samples are equal")
    return samples
