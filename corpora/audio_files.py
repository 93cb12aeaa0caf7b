"""Open audio files of any format by the library that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import av
import soundfile

from nserbench.corpora.containers import SUFFIXES, open_container
from nserbench.corpora.sound_files import Block, open_sound_file
from nserbench.errors import BadAudio
from nserbench.placeholders import placeholder

LOWEST_RATE = 1000
"""Hz. Ours: nobody samples speech below this rate, so the header is wrong."""

_EBML = b"\x1a\x45\xdf\xa3"  # the first bytes of Matroska and WebM


class AudioFile(Protocol):
    """An open audio file."""

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""

    @property
    def channels(self) -> int:
        """Number of channels."""

    @property
    def frames(self) -> int | None:
        """Number of frames by the header; None if it does not say it."""

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """Decode at least the frames between two, in order.

        Raises:
            BadAudio: if they cannot be decoded.
        """


@contextmanager
def open_audio(path: Path) -> Iterator[AudioFile]:
    """Open an audio file of any format.

    Raises:
        BadAudio: if it is missing, unreadable or cut off; also if that shows only while
            it is decoded in the ``with`` block. The message does not name the file.
    """
    if path.suffix.lower() == ".raw":
        raise BadAudio("cannot be read (a raw file has no header with its rate)")
    with _library_errors(path), _opener(path) as audio:
        if audio.rate < LOWEST_RATE:
            raise BadAudio(
                f"says that its sample rate is {audio.rate} Hz, but the lowest rate "
                f"that is read is {LOWEST_RATE} Hz"
            )
        yield audio


def _opener(path: Path) -> AbstractContextManager[AudioFile]:
    if path.suffix.lower() in SUFFIXES or _begins_as_container(path):
        return open_container(path)
    return open_sound_file(path)


def _begins_as_container(path: Path) -> bool:
    """Return whether a file is MP4, Matroska or AVI by its first bytes."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" or start[:4] == _EBML or start[8:] == b"AVI "


@contextmanager
def _library_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system, FFmpeg and libsndfile into `BadAudio`."""
    try:
        path.open("rb").close()  # its errors say more than those of the libraries
    except OSError as error:
        raise BadAudio(f"cannot be read ({error.strerror})") from error
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        raise BadAudio(_reason(path, error.strerror or str(error))) from error
    except soundfile.LibsndfileError as error:
        raise BadAudio(_reason(path, error.error_string.rstrip("."))) from error


def _reason(path: Path, said: str) -> str:
    """Return why a file cannot be read, by its first bytes or as a library said."""
    if (instead := placeholder(path)) is not None:
        return instead
    if "malformed" in said:
        said += "; it may be cut off"
    return f"cannot be read ({said})"
