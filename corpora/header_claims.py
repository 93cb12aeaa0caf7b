"""Compare what the header of an audio file says about its length with the file."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from nserbench.errors import BadAudio

SLACK = 0.01
"""Seconds that may be missing at the end, or follow it. Ours: some programs count the
bytes of the header as audio, or write one byte too many; no feature notices that."""

_SIZE = r"(?P<claimed>\d+) \(should be (?P<actual>\d+)\)"
_OF_DS64 = r"does not match value from 'ds64' chunk of (?P<claimed>\d+)"
_SIZES = tuple(
    re.compile(line, re.MULTILINE)
    for line in (
        rf"^\s*(?:data|SSND|BODY|Data Size|riff)\s*: {_SIZE}",
        r"^Data length (?P<claimed>\d+) should be (?P<actual>\d+)",
        r"File seems to be truncated\. (?P<actual>\d+) <--> (?P<claimed>\d+)",
        rf"Calculated frame count (?P<actual>\d+) {_OF_DS64}",
    )
)
_FRAMES = re.compile(r"^\s*Frames\s*: (\d+)", re.MULTILINE)
_CUT = re.compile(
    r"Seems to be a truncated file|file seems to be truncated"
    r"|without an End-Of-Stream flag"
)
_NIST_COUNT = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)
_NIST_HEADER = 1024  # bytes
_DS64_SIZE = 28, "<Q"
"""Position and `struct` format of the size of an RF64's audio."""
_IN_DS64 = 0xFFFF_FFFF
"""What the chunk with the audio says of its size in an RF64."""
_LARGEST = 1 << 40  # bytes; no file of audio has more, and no file can have far more
_UNKNOWN_SIZE = 0x7FFF_0000  # bytes; programs that write to a pipe claim this or more
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")  # of players, behind the audio
_BLOCK = 1 << 20  # bytes


def refuse_cut_off(path: Path, log: str, frames: int, rate: int) -> None:
    """Refuse a file that lost its end; libsndfile only logs this.

    Args:
        path: The file.
        log: libsndfile's log of opening it.
        frames: Number of frames that libsndfile found.
        rate: Frames a second.

    Raises:
        BadAudio: if the file is shorter than its header says, by more than `SLACK`.
    """
    if _CUT.search(log):
        raise BadAudio("is cut off: its end is missing")
    counts = [*_FRAMES.findall(log), *_nist_count(path)]
    claims = [*_sizes(log), *((int(count), frames) for count in counts)]
    for claimed, actual in claims:
        missing = (claimed - actual) * frames / max(actual, 1) / rate
        if actual < claimed < _UNKNOWN_SIZE and (missing > SLACK or not frames):
            raise BadAudio(
                f"is cut off: {100 * actual / claimed:.1f} % of the audio is there "
                f"({frames / rate:.3f} s)"
            )


def _sizes(log: str) -> list[tuple[int, int]]:
    """Return the sizes that the header says and that are there, as libsndfile logs."""
    found = (size for pattern in _SIZES for size in pattern.finditer(log))
    return [(int(size["claimed"]), int(size["actual"])) for size in found]


def _nist_count(path: Path) -> list[bytes]:
    """Return the number of frames that a NIST file says, which libsndfile ignores."""
    with path.open("rb") as file:
        start = file.read(_NIST_HEADER)
    return _NIST_COUNT.findall(start) if start.startswith(b"NIST_1A") else []


@dataclass(frozen=True, slots=True)
class _Chunks:
    """How a format stores its chunks.

    Attributes:
        first: Position of the first chunk in bytes.
        id_size: Bytes of a chunk's name.
        size: `struct` format of a chunk's size.
        counts_header: Whether a chunk's size includes its name and size.
        align: A chunk begins at a multiple of this many bytes.
        audio: The first letters of the name of the chunk with the audio.
    """

    first: int
    id_size: int
    size: str
    counts_header: bool
    align: int
    audio: bytes

    @property
    def header(self) -> int:
        """Bytes of a chunk's name and size."""
        return self.id_size + struct.calcsize(self.size)


_FORMATS: Mapping[bytes, _Chunks] = MappingProxyType(
    {
        b"RIFF": _Chunks(12, 4, "<I", False, 2, b"data"),
        b"RIFX": _Chunks(12, 4, ">I", False, 2, b"data"),
        b"FORM": _Chunks(12, 4, ">I", False, 2, b"SSND"),
        b"riff": _Chunks(40, 16, "<Q", True, 8, b"data"),
        b"RF64": _Chunks(12, 4, "<I", False, 2, b"data"),
        b"caff": _Chunks(8, 4, ">q", False, 1, b"data"),
    }
)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """The chunk with the audio, by the header of a file.

    Attributes:
        size_at: Position of its size in the file, in bytes.
        size_format: `struct` format of its size.
        header: Bytes that its size counts beside the audio.
        size: Bytes of audio that the header says.
        stray: Bytes after it that are neither a chunk nor padding nor a tag.
    """

    size_at: int
    size_format: str
    header: int
    size: int
    stray: int


def find_audio_chunk(path: Path) -> AudioChunk | None:
    """Find the audio of a WAV, RF64, AIFF, W64 or CAF file, and what follows it.

    Returns:
        None for other formats, and where the chunk reaches the end of the file.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        form = file.read(4)
        if (chunks := _FORMATS.get(form)) is None:
            return None
        at = chunks.first
        while at < length and (chunk := _chunk_at(file, at, chunks)) is not None:
            if chunk.name.startswith(chunks.audio):
                place = at + chunks.id_size, chunks.size
                if form == b"RF64" and chunk.size == _IN_DS64:
                    place = _DS64_SIZE
                    chunk = chunk.resized(min(_number_at(file, *place), _LARGEST))
                stray = _stray(file, chunk.following, length, chunks)
                header = chunks.header if chunks.counts_header else 0
                found = AudioChunk(*place, header, chunk.size, stray)
                return found if stray else None
            at = chunk.following
    return None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk: its name, its bytes without name and size, and where the next begins."""

    name: bytes
    size: int
    following: int

    def resized(self, size: int) -> _Chunk:
        """Return the chunk with another size, of a format of even positions."""
        end = self.following - self.size - self.size % 2 + size
        return _Chunk(self.name, size, end + end % 2)


def _number_at(file: BinaryIO, at: int, form: str) -> int:
    """Return a number at a position; 0 if the file ends before it."""
    file.seek(at)
    content = file.read(struct.calcsize(form)).ljust(struct.calcsize(form), b"\0")
    return int(struct.unpack(form, content)[0])


def _chunk_at(file: BinaryIO, at: int, chunks: _Chunks) -> _Chunk | None:
    """Return the chunk at a position; None at the end, and where there is no chunk."""
    file.seek(at)
    header = file.read(chunks.header)
    name = header[: chunks.id_size]
    if len(header) < chunks.header or not _is_name(name[:4]):
        return None
    (size,) = struct.unpack(chunks.size, header[chunks.id_size :])
    # A CAF says -1 if it does not know its size.
    size = max(size - chunks.header if chunks.counts_header else size, 0)
    if size > _LARGEST:
        return None
    end = at + chunks.header + size
    return _Chunk(name, size, end + -end % chunks.align)


def _is_name(name: bytes) -> bool:
    return all(32 <= letter < 127 for letter in name)


def _stray(file: BinaryIO, at: int, length: int, chunks: _Chunks) -> int:
    """Return the bytes from a position on that are no chunk, padding or tag."""
    while (chunk := _chunk_at(file, at, chunks)) is not None:
        if chunk.following - chunks.align > length:  # its size is nonsense
            break
        at = chunk.following
    file.seek(at)
    start = file.read(_BLOCK)
    if start.startswith(_TAGS):
        return 0
    while start and not any(start):
        start = file.read(_BLOCK)
    return max(length - at, 0) if start else 0
