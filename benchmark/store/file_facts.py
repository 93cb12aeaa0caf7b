"""Remember facts about files, such as digests, so that no file is read twice."""

from __future__ import annotations

import errno
import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from nserbench.benchmark.store.digests import bytes_digest, digest, file_digest

T = TypeVar("T")

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    kind TEXT, path TEXT, state TEXT, fact TEXT, checksum TEXT,
    PRIMARY KEY (kind, path)
)
"""
_MACHINE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
"""Errors of SQLite that say nothing about the content of the database."""
_SAMPLES, _SAMPLE = 64, 4096  # number, and bytes of each


DIGEST = "digest"
"""The kind of fact for checkpoints; see `state_of`."""


def to_stderr(text: str) -> None:
    """Print a message for the user where no progress is shown."""
    sys.stderr.write(f"{text}\n")


@dataclass(frozen=True, slots=True)
class FileFact:
    """A fact about a file, valid while the file has not changed.

    Attributes:
        kind: Kind of the fact, such as ``digest``.
        path: Path of the file.
        state: The state of the file before it was read; see `state_of`.
        fact: The fact as text.
    """

    kind: str
    path: Path
    state: str
    fact: str


@dataclass(slots=True)
class FileFacts:
    """Facts about files by path and state, kept in SQLite.

    The database may be deleted at any time: its facts are then computed again. So they
    are where it is damaged, which the checksum of each row shows.

    Attributes:
        file: Path of the database, created if missing. Several processes may share it.
        verify: Whether to trust only the facts that this object has saved, so that
            every file is read again.
        note: Receives a message for the user.
    """

    file: Path
    verify: bool = False
    note: Callable[[str], None] = to_stderr
    _saved: set[tuple[str, Path]] = field(default_factory=set)

    def known(self, kind: str, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the facts that are still valid, by path."""
        paths = list(paths)
        names = json.dumps([str(path.absolute()) for path in paths])
        query = """
        SELECT facts.path, state, fact, checksum FROM json_each(?)
        CROSS JOIN facts ON facts.kind = ? AND facts.path = json_each.value
        """  # CROSS: each path is looked up in the index, and other files cost nothing
        rows = self._run(lambda data: data.execute(query, (names, kind)).fetchall())
        facts = {
            path: (state, fact)
            for path, state, fact, checksum in rows or ()
            if checksum == _checksum(kind, path, state, fact)
        }
        valid = {}
        for path in paths:
            state, fact = facts.get(str(path.absolute()), ("", ""))
            trusted = not self.verify or (kind, path.absolute()) in self._saved
            if trusted and state == state_of(kind, path):
                valid[path] = fact
        return valid

    def save(self, facts: Iterable[FileFact]) -> None:
        """Save facts, in place of older ones of the same kind and file.

        In a read-only store they are not kept.
        """
        rows = []
        for fact in facts:
            path = fact.path.absolute()
            row = fact.kind, str(path), fact.state, fact.fact
            rows.append((*row, _checksum(*row)))
            self._saved.add((fact.kind, path))
        insert = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)"
        if rows:
            self._run(lambda database: database.executemany(insert, rows))

    def digests(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the digest of each file's content; only changed files are read."""
        return self.fill(DIGEST, list(paths), file_digest)

    def fill(
        self, kind: str, paths: list[Path], find: Callable[[Path], str]
    ) -> dict[Path, str]:
        """Return a fact for each file; those that are not known are found and saved."""
        facts = self.known(kind, paths)
        new = [
            FileFact(kind, path, state_of(kind, path), find(path))
            for path in paths
            if path not in facts
        ]
        self.save(new)
        return {**facts, **{fact.path: fact.fact for fact in new}}

    def _run(self, act: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run one transaction; if the database is damaged, start a new one.

        Returns:
            What ``act`` returns; None if the store is read-only.

        Raises:
            OSError: if the database cannot be read or written, as on a full disk.
        """
        try:
            return self._transaction(act)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # SQLite's message quotes the damaged text, which is then no UTF-8.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            cannot_open = code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
            if cannot_open and not self.file.is_dir():
                return None
            if code in _MACHINE_CODES:
                raise OSError(errno.EIO, str(error), str(self.file)) from error
            moved = set_aside(self.file)
            self.note(
                f"{self.file} is damaged ({error}) and was moved to {moved}: what it "
                "remembers about files is computed again"
            )
            return self._transaction(act)

    def _transaction(self, act: Callable[[sqlite3.Connection], T]) -> T:
        with (
            closing(sqlite3.connect(self.file, timeout=60.0)) as database,
            database,
        ):
            # Damaged text must not raise: the checksum of its row is wrong.
            database.text_factory = _text
            database.execute(_TABLE)
            return act(database)


def set_aside(file: Path) -> Path:
    """Move a damaged file out of the way, and return its new path.

    Another process may have done so already.
    """
    moved = file.with_name(f"{file.name}.damaged-{uuid4().hex[:8]}")
    with suppress(FileNotFoundError):
        file.replace(moved)
    return moved


def state_of(kind: str, path: Path) -> str:
    """Return a text that changes when a file is changed or exchanged.

    It holds size, times of change of content and of the file's entry, inode and device.
    For checkpoints it also holds a digest of samples of the content, since size and
    time may be the same after an archive is unpacked over another.
    """
    stat = path.stat()
    times = stat.st_mtime_ns, stat.st_ctime_ns
    state = [stat.st_size, *times, stat.st_ino, stat.st_dev]
    return " ".join(map(str, [*state, *([_samples(path)] if kind == DIGEST else [])]))


def _samples(path: Path) -> str:
    """Return the digest of pieces of a file that are spread over its whole length."""
    size = path.stat().st_size
    last = max(size - _SAMPLE, 0)
    with path.open("rb") as stream:
        pieces = []
        for index in range(_SAMPLES + 1):
            stream.seek(last * index // _SAMPLES)
            pieces.append(stream.read(_SAMPLE))
    return bytes_digest(b"".join(pieces))


def _checksum(*row: object) -> str:
    return digest([str(value) for value in row])


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
