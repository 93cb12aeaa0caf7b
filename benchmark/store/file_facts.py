"""Remember facts about files, such as digests, so that no file is read twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nserbench.benchmark.store.digests import file_digest
from nserbench.errors import StoreDamaged

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    kind TEXT, path TEXT, size INTEGER, changed INTEGER, fact TEXT,
    PRIMARY KEY (kind, path)
)
"""


@dataclass(frozen=True, slots=True)
class FileFact:
    """A fact about a file, valid while its size and modification time stay the same.

    Attributes:
        kind: Kind of the fact, such as ``digest``.
        path: Path of the file.
        fact: The fact as text.
    """

    kind: str
    path: Path
    fact: str


class FileFacts:
    """Facts about files by path, size and modification time, kept in SQLite.

    The database may be deleted at any time: its facts are then computed again.

    Args:
        file: Path of the database, created if missing. Several processes may share it.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        with self._connection() as connection:
            connection.execute(_TABLE)

    def known(self, kind: str, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the facts that are still valid, by path."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT path, size, changed, fact FROM facts WHERE kind = ?", (kind,)
            ).fetchall()
        facts = {path: (size, changed, fact) for path, size, changed, fact in rows}
        valid = {}
        for path in paths:
            size, changed, fact = facts.get(str(path.absolute()), (None, None, ""))
            if (size, changed) == _state(path):
                valid[path] = fact
        return valid

    def note(self, entries: Iterable[FileFact]) -> None:
        """Save facts, in place of older ones of the same kind and file."""
        rows = [
            (entry.kind, str(entry.path.absolute()), *_state(entry.path), entry.fact)
            for entry in entries
        ]
        with self._connection() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows
            )

    def digests(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the digest of each file's content; only changed files are read."""
        return self.fill("digest", list(paths), file_digest)

    def fill(
        self, kind: str, paths: list[Path], find: Callable[[Path], str]
    ) -> dict[Path, str]:
        """Return a fact for each file; those that are not known are found and saved."""
        facts = self.known(kind, paths)
        new = [FileFact(kind, path, find(path)) for path in paths if path not in facts]
        if new:
            self.note(new)
        return {**facts, **{entry.path: entry.fact for entry in new}}

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction."""
        try:
            connected = sqlite3.connect(self._file, timeout=60.0)
            with closing(connected) as connection, connection:
                yield connection
        except sqlite3.OperationalError:
            raise  # such as a full disk, where the database itself is intact
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(
                f"{self._file} cannot be used: {error}\n"
                "  delete it: it is created again, only time is lost"
            ) from error


def _state(path: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
