"""Reading audio: any file becomes 16 kHz mono, or is refused by name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from nserbench.errors import BadAudio

SAMPLE_RATE = 16_000
"""Hz. Everything is resampled to this when it is read."""

LEAVE_OUT = "replace it, or leave its utterance out with exclude=FILE"
END_SLACK = 0.1  # seconds; the times in published lists are often rounded up

_DATA_SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*: (?P<said>\d+) \(should be (?P<found>\d+)\)",
    re.MULTILINE,
)
_UNKNOWN_SIZE = 0x7FFF_0000  # bytes; programs that write to a pipe claim this or more


def read_audio(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    *,
    remedy: str = LEAVE_OUT,
) -> NDArray[np.float32]:
    """Read a file, or the part of it between two times.

    Channels are averaged, then the wanted part alone is resampled (soxr, HQ).

    Args:
        path: A file of any format that libsndfile reads, at any rate.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        remedy: What the message advises when the file cannot be used.

    Returns:
        ``(samples,)``, mono at `SAMPLE_RATE`, full scale at 1.0, at least one sample.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, ends more than 0.1 s
            before ``end``, or if the wanted part has no samples, samples that are no
            numbers, or is silent (all samples equal).
    """
    try:
        frames, rate = _read(path, start, end)
        wave = _checked(_checked(frames).mean(axis=1))
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
    path: Path, start: float | None, end: float | None
) -> tuple[NDArray[np.float32], int]:
    """Give the wanted part, ``(frames, channels)``, and its rate in Hz."""
    if path.suffix.lower() == ".raw":
        raise BadAudio("cannot be read (it has no header that says its rate)")
    try:
        path.open("rb").close()  # its errors say more than soundfile's
        with soundfile.SoundFile(path) as sound:
            _refuse_cut_off(sound.extra_info)
            first, last = _span(sound.frames, sound.samplerate, start, end)
            sound.seek(first)
            frames = sound.read(last - first, dtype="float32", always_2d=True)
            rate: int = sound.samplerate
    except OSError as error:
        raise BadAudio(f"cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"cannot be read ({reason})") from error
    if len(frames) < last - first:
        raise BadAudio(f"is cut off after {(first + len(frames)) / rate:.3f} s")
    return frames, rate


def _refuse_cut_off(log: str) -> None:
    # libsndfile reads what is left of a cut-off WAV and only writes it into its log.
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
