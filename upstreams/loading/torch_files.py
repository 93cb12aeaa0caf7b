"""Read files of ``torch.save`` that somebody else wrote; nothing in them runs code."""

from __future__ import annotations

import contextlib
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from nserbench.errors import CheckpointMissing, NserbenchError
from nserbench.placeholders import placeholder

BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError),
    *(LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError),
    *(pickle.UnpicklingError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What torch, pickle and zipfile raise for a file that is damaged or something else."""

_LARGEST_PICKLE = 64 << 20
"""Bytes of the part that holds no weights; published ones have less than 1 MiB."""


def refuse_placeholders(files: Sequence[Path]) -> None:
    """Refuse files that hold a notice in place of weights, such as a git-lfs pointer.

    Raises:
        CheckpointMissing: if one does, or cannot be read.
    """
    for file in files:
        try:
            instead = placeholder(file)
        except OSError as error:
            raise CheckpointMissing(f"{file} cannot be read: {error}") from error
        if instead is not None:
            raise CheckpointMissing(f"{file} {instead}")


@contextlib.contextmanager
def torch_file(file: Path) -> Iterator[None]:
    """Check a file before the block reads it, and turn errors of the block into ours.

    The file may be one of an old torch, which is no archive.

    Raises:
        CheckpointMissing: if it holds a notice in place of weights, is an archive that
            torch does not write, or the block cannot read it.
    """
    refuse_placeholders([file])
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                _refuse_odd(archive, file)
        yield
    except NserbenchError:
        raise
    except BROKEN as error:
        raise CheckpointMissing(f"{file} cannot be read: {reason(error)}") from error


@contextlib.contextmanager
def pickled_part(file: Path) -> Iterator[IO[bytes]]:
    """Open the part of an archive of ``torch.save`` that holds all but the weights.

    Raises:
        CheckpointMissing: as `torch_file`, or if the part is too large.
        ValueError: if the file is no archive, or has no such part.
    """
    with torch_file(file), zipfile.ZipFile(file) as archive:
        parts = [one for one in archive.infolist() if one.filename.endswith("data.pkl")]
        if not parts:
            raise ValueError("it has no part data.pkl")
        if parts[0].file_size > _LARGEST_PICKLE:
            raise ValueError(f"its part data.pkl has {parts[0].file_size} bytes")
        with archive.open(parts[0]) as stream:
            yield stream


def reason(error: Exception) -> str:
    """Return the first line of an error of a library, or its type if it has no text.

    The text of an `UnpicklingError` of torch advises to load the file anyway.
    """
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds objects that could run code"
    text = str(error).strip().partition("\n")[0]
    return text or type(error).__name__


def _refuse_odd(archive: zipfile.ZipFile, file: Path) -> None:
    """Refuse an archive that ``torch.save`` does not write.

    It stores its parts as they are, so that none can be larger than the file.
    """
    parts = archive.infolist()
    names = [part.filename for part in parts]
    odd = [part.filename for part in parts if _is_odd(part)]
    if odd or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), "")
        raise CheckpointMissing(
            f"{file} is no archive that torch.save writes: {(odd or [twice])[0]!r} is "
            "compressed, encrypted, there twice or outside of the archive's folder\n"
            "  download it again as its authors publish it"
        )
    if sum(part.file_size for part in parts) > file.stat().st_size:
        raise CheckpointMissing(
            f"{file} contradicts itself: its parts are larger than the whole\n"
            "  download it again"
        )


def _is_odd(part: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(part.filename)
    return (
        part.compress_type != zipfile.ZIP_STORED
        or bool(part.flag_bits & 1)  # encrypted
        or path.is_absolute()
        or ".." in path.parts
    )
