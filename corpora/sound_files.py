"""Open sound files by libsndfile: what can be trusted of them, and their samples."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from nserbench.corpora.header_claims import (
    SLACK,
    AudioChunk,
    find_audio_chunk,
    refuse_cut_off,
)
from nserbench.errors import BadAudio

BLOCK = 65_536
"""Frames that are decoded at once."""

_THIRD_IS_CENTRE = {3, 5, 6, 7, 8}  # numbers of channels of a WAV or FLAC file
_UNKNOWN_LENGTH = 1 << 48  # frames; libsndfile says 2 ** 63 - 1 if it does not know


class _Stream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is not typed
    """A file of which each read begins where the last one ended.

    soundfile seeks before each read otherwise. That changes the samples of an MP3, and
    fails where the length of a FLAC file is not known.
    """

    def seekable(self) -> bool:
        """Return False, so that soundfile does not seek."""
        return False


@dataclass(frozen=True, slots=True)
class Block:
    """Decoded frames.

    Attributes:
        first: Position of the first frame in the file.
        frames: ``(channels, frames)``, float32.
        centre: Index of the centre channel, or of the first if there is none.
    """

    first: int
    frames: NDArray[np.float32]
    centre: int


@dataclass(frozen=True, slots=True)
class SoundFile:
    """An open sound file.

    Attributes:
        rate: Sample rate in Hz.
        frames: Number of frames; None if the header does not say it.
    """

    file: soundfile.SoundFile
    rate: int
    channels: int
    frames: int | None

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """Decode the frames between two, or a few more before them.

        A file in which libsndfile cannot seek is decoded from its beginning.

        Raises:
            BadAudio: if a block cannot be decoded, or the file ends too early.
        """
        at = self._seek(first)
        last = min(_or_unknown(last), _or_unknown(self.frames))
        centre = 2 if self.channels in _THIRD_IS_CENTRE else 0
        while at < last:
            frames = self._decode(at, min(BLOCK, last - at))
            if not len(frames):
                break
            yield Block(at, frames.T, centre)
            at += len(frames)
        if self.frames is not None and at < last - SLACK * self.rate:
            raise BadAudio(
                f"is cut off or damaged: {at / self.rate:.3f} of "
                f"{self.frames / self.rate:.3f} s can be decoded"
            )

    def _seek(self, first: int) -> int:
        """Go to a frame where libsndfile can, and return where the file now is."""
        if self.frames is None or not soundfile.SoundFile.seekable(self.file):
            return 0
        # Also to 0: libsndfile then decodes the beginning of an MP3 differently.
        with _decoding_errors():
            return int(self.file.seek(min(first, self.frames)))

    def _decode(self, at: int, count: int) -> NDArray[np.float32]:
        """Decode some frames, ``(frames, channels)``; fewer at the end of the file."""
        where = f" between {at / self.rate:.3f} and {(at + count) / self.rate:.3f} s"
        with _decoding_errors(where):
            frames: NDArray[np.float32] = self.file.read(
                count, dtype="float32", always_2d=True
            )
        return frames


@contextmanager
def _decoding_errors(where: str = "") -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"is cut off or damaged{where} ({reason})") from error


def _or_unknown(frames: int | None) -> int:
    return _UNKNOWN_LENGTH if frames is None else frames


@contextmanager
def open_sound_file(path: Path) -> Iterator[SoundFile]:
    """Open a file of any format that libsndfile reads.

    A file that says that it has no audio, but has, was not closed by the program that
    wrote it. It is read to its end.

    Raises:
        BadAudio: if it is cut off, or what it says about itself cannot be true.
        soundfile.LibsndfileError: if libsndfile cannot read it.
    """
    chunk = find_audio_chunk(path)
    with _Stream(_source(path, chunk)) as file:
        rate, frames = file.samplerate, file.frames
        if frames >= _UNKNOWN_LENGTH:
            yield SoundFile(file, rate, file.channels, None)
            return
        if file.format == "SDS":  # of which libsndfile reads what is not there as 0
            raise BadAudio("is a MIDI sample dump (SDS): convert it to WAV")
        refuse_cut_off(path, file.extra_info, frames, rate)
        if chunk is not None and chunk.size:
            _refuse_more(chunk, frames / rate)
        yield SoundFile(file, rate, file.channels, frames)


def _source(path: Path, chunk: AudioChunk | None) -> Path | io.BytesIO:
    """Return a file, or its content with the size of its audio where it says 0."""
    if chunk is None or chunk.size:
        return path
    content = bytearray(path.read_bytes())
    largest = (1 << 8 * struct.calcsize(chunk.size_format) - 1) - 1
    size = min(chunk.stray + chunk.header, largest)
    struct.pack_into(chunk.size_format, content, chunk.size_at, size)
    return io.BytesIO(content)


def _refuse_more(chunk: AudioChunk, seconds: float) -> None:
    """Refuse a file whose header says less audio than there is."""
    if chunk.stray / chunk.size * seconds > SLACK:
        raise BadAudio(
            f"has a wrong header: it says {chunk.size} bytes of audio, but "
            f"{chunk.stray} more bytes follow"
        )
