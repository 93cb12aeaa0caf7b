"""Reading audio: any file becomes 16 kHz mono, or is refused by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from nserbench.errors import BadAudio

SAMPLE_RATE = 16_000
"""Hz. Everything is resampled to this when it is read."""

LEAVE_OUT = "replace it, or leave its utterance out with exclude=FILE"
END_SLACK = 0.1  # seconds; the times in published lists are often rounded up
CONTAINERS = frozenset({".avi", ".m4a", ".mkv", ".mp4", ".webm"})
"""Endings of the files that FFmpeg reads; libsndfile reads all others."""
CHANNELS = ("centre", "downmix")

_THIRD_IS_CENTRE = {3, 5, 6, 7, 8}  # channels of a WAV or FLAC; four are a square

_DATA_SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*: (?P<said>\d+) \(should be (?P<found>\d+)\)",
    re.MULTILINE,
)
_UNKNOWN_SIZE = 0x7FFF_0000  # bytes; programs that write to a pipe claim this or more


def read_audio(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    channel: str | None = None,
    *,
    remedy: str = LEAVE_OUT,
) -> NDArray[np.float32]:
    """Read a file, or the part of it between two times.

    Channels become one, then the wanted part alone is resampled (soxr, HQ).

    Of a container we take the first audio stream. Samples before its beginning, which
    an AAC encoder adds and the container marks, are left out. Those that fill up the
    last AAC frame stay: at most 1023, that is 21 ms at 48 kHz.

    Args:
        path: A file of any format that libsndfile reads, or one of `CONTAINERS`, at
            any rate.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        channel: ``"centre"`` for the channel at the centre of the layout, where films
            have their dialogue, or the first where the layout has none (such as
            stereo). ``"downmix"``, or None, for the mean of all.
        remedy: What the message advises when the file cannot be used.

    Returns:
        ``(samples,)``, mono at `SAMPLE_RATE`, full scale at 1.0, at least one sample.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, ends more than 0.1 s
            before ``end``, or if the wanted part has no samples, samples that are no
            numbers, or is silent (all samples equal).
        ValueError: if there is no such choice of channel.
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
    """Give the hexadecimal 128-bit BLAKE2b of the samples ``(samples,)``."""
    samples = np.ascontiguousarray(wave, dtype="<f4")
    return hashlib.blake2b(samples.data, digest_size=16).hexdigest()


def _read(
    path: Path, start: float | None, end: float | None, channel: str | None
) -> tuple[NDArray[np.float32], int]:
    """Give the wanted part, mono, ``(samples,)``, and its rate in Hz."""
    suffix = path.suffix.lower()
    if suffix == ".raw":
        raise BadAudio("cannot be read (it has no header that says its rate)")
    read = _from_container if suffix in CONTAINERS else _from_file
    try:
        path.open("rb").close()  # its errors say more than the libraries'
        return read(path, start, end, channel)
    except (OSError, av.FFmpegError) as error:
        raise BadAudio(f"cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"cannot be read ({reason})") from error


def _from_file(
    path: Path, start: float | None, end: float | None, channel: str | None
) -> tuple[NDArray[np.float32], int]:
    with soundfile.SoundFile(path) as sound:
        refuse_cut_off(sound.extra_info)
        rate: int = sound.samplerate
        first, last = _span(sound.frames, rate, start, end)
        sound.seek(first)
        frames = sound.read(last - first, dtype="float32", always_2d=True)
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
            names = [one.name for one in frame.layout.channels]
            centre = names.index("FC") if "FC" in names else 0
            waves.append(_mono(frame.to_ndarray(), centre, channel))
        rate = container.streams.audio[0].codec_context.sample_rate
    wave = np.concatenate(waves)
    first, last = _span(len(wave), rate, start, end)
    return wave[first:last], rate


def _decoded(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Give the frames of the first audio stream as ``(channels, samples)`` floats."""
    sound = container.streams.audio[0]
    floats = av.AudioResampler(format="fltp")
    reached = 0.0
    for packet in container.demux():
        if packet.pts is not None:
            last = packet.pts + (packet.duration or 0)
            reached = max(reached, float(last * packet.time_base))
        if packet.stream is sound:
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):  # no others, to the type checker
                    yield from floats.resample(frame)
    if "matroska" in container.format.name and container.duration is not None:
        said = container.duration / av.time_base
        if reached < said - END_SLACK:
            raise BadAudio(f"is cut off: {reached:.3f} of {said:.3f} s are there")


def refuse_lost_packets(path: Path, container: av.container.InputContainer) -> None:
    """Refuse a container that lost its end, which FFmpeg takes for that of the sound.

    Raises:
        BadAudio: if it says that it is longer than its file.
    """
    if container.format.name == "avi":
        with path.open("rb") as file:
            said = 8 + int.from_bytes(file.read(8)[4:], "little")
    else:
        index = container.streams.audio[0].index_entries
        said = max((entry.pos + entry.size for entry in index), default=0)
    if said > container.size:
        raise BadAudio(f"is cut off: {container.size} of {said} bytes are there")


def _mono(
    frames: NDArray[Any], centre: int, channel: str | None
) -> NDArray[np.float32]:
    """Make one channel, ``(samples,)``, of floats ``(channels, samples)``."""
    wanted = frames[[centre]] if channel == "centre" else frames
    if not np.isfinite(wanted).all():
        raise BadAudio("has samples that are NaN or infinite")
    mono: NDArray[np.float32] = wanted.mean(axis=0, dtype=np.float32)
    return mono


def refuse_cut_off(log: str) -> None:
    """Refuse a WAV that lost its end, which libsndfile only writes into its log.

    Args:
        log: What it wrote there.

    Raises:
        BadAudio: if the file is shorter than its header says.
    """
    if size := _DATA_SIZE.search(log):
        said, found = int(size["said"]), int(size["found"])
        if found < said < _UNKNOWN_SIZE:
            raise BadAudio(f"is cut off: {found} of {said} bytes of audio are there")


def _span(
    frames: int, rate: int, start: float | None, end: float | None
) -> tuple[int, int]:
    """Give the first frame that is wanted and the one after the last."""
    first = round((start or 0.0) * rate)
    last = frames if end is None else min(frames, round(end * rate))
    if first >= last:
        place = f" from {start} s on" if start else ""
        raise BadAudio(f"holds no samples{place}: it lasts {frames / rate:.3f} s")
    if end is not None and end > frames / rate + END_SLACK:
        raise BadAudio(f"lasts {frames / rate:.3f} s, but is wanted up to {end} s")
    return first, last


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if not samples.size:
        raise BadAudio("is too short for a single sample at 16 kHz")
    if not np.isfinite(samples).all():
        raise BadAudio("has samples that are NaN or infinite")
    if samples.min() == samples.max():
        raise BadAudio("is silent throughout: all samples are equal")
    return samples
