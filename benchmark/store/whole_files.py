"""Write a file whole or not at all, and check what was written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from nserbench.benchmark.store.digests import bytes_digest
from nserbench.errors import StoreDamaged
from nserbench.paths import named_errors

Piece = bytes | memoryview

_EAGER = 1 << 20
"""Bytes; pieces of at least this size go to disk while the next one is copied."""
NO_DIGEST = "0" * len(bytes_digest(b""))
"""Stands in the place of a digest while the digest is computed."""

_guards: dict[Path, Callable[[int], None]] = {}


@contextmanager
def guarded(root: Path, reserve: Callable[[int], None]) -> Iterator[None]:
    """Ask before each file that this process writes below a folder.

    Args:
        root: The folder, absolute.
        reserve: Receives the size of each file in bytes. It raises an error if the
            file may not be written.
    """
    _guards[root] = reserve
    try:
        yield
    finally:
        del _guards[root]


def write_whole(final: Path, content: bytes) -> None:
    """Write a file so that a kill or a full disk leaves the whole file or none."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{uuid4().hex}")
    with temporary_file(temporary, content):
        temporary.replace(final)


@contextmanager
def temporary_file(temporary: Path, *pieces: Piece) -> Iterator[None]:
    """Write and sync a file for the caller to rename; delete it if that fails."""
    for root, reserve in _guards.items():
        if temporary.is_relative_to(root):
            reserve(sum(memoryview(piece).nbytes for piece in pieces))
    try:
        with named_errors(temporary.parent), temporary.open("wb") as stream:
            for piece in pieces:
                start = stream.tell()
                stream.write(piece)
                _start_syncing(stream.fileno(), start, stream.tell() - start)
            stream.flush()
            os.fsync(stream.fileno())
        yield
    finally:
        temporary.unlink(missing_ok=True)


def _start_syncing(descriptor: int, start: int, size: int) -> None:
    """Start writing a part of a file to disk in the background, if the system can."""
    if size >= _EAGER and hasattr(os, "posix_fadvise"):
        # On this advice Linux starts to write the part; it also stays in memory.
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def write_checked(file: Path, content: bytes) -> None:
    """Write a digest and then the content; a kill leaves the whole file or none.

    The digest is also of the file's name, since a file that took the place of another
    is undamaged.
    """
    write_whole(file, _named_digest(file, content) + content)


def read_checked(file: Path) -> bytes:
    """Read what `write_checked` wrote.

    Raises:
        StoreDamaged: if a byte has changed, or it was written under another name.
    """
    stored = read_file(file)
    digest, content = stored[: len(NO_DIGEST)], stored[len(NO_DIGEST) :]
    if _named_digest(file, content) != digest:
        raise StoreDamaged(f"{file} has changed since it was written")
    return content


def read_file(file: Path) -> bytes:
    """Read the content of a file of the store.

    Raises:
        StoreDamaged: if there is a folder in its place.
    """
    try:
        with named_errors(file):
            return file.read_bytes()
    except IsADirectoryError as error:
        raise StoreDamaged(f"{file} is a folder") from error


def _named_digest(file: Path, content: bytes) -> bytes:
    return bytes_digest(file.name.encode() + b"\0" + content).encode()
