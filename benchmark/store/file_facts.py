"""What is known of files on this machine, so that no file is digested twice."""

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
    """A fact about a file: it holds as long as size and time of change are the same.

    Attributes:
        kind: What kind of fact, such as ``digest``.
        path: The file.
        fact: The fact as text.
    """

    kind: str
    path: Path
    fact: str


class FileFacts:
    """Facts about files by path, size and time of change. Losing it loses only time.

    Args:
        file: An SQLite file, made if need be. Several processes may share it.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        with self._connection() as connection:
            connection.execute(_TABLE)

    def known(self, kind: str, paths: Iterable[Path]) -> dict[Path, str]:
        """Give the facts that still hold, by path."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT path, size, changed, fact FROM facts WHERE kind = ?", (kind,)
            ).fetchall()
        facts = {path: (size, changed, fact) for path, size, changed, fact in rows}
        found = {}
        for path in paths:
            size, changed, fact = facts.get(str(path.absolute()), (None, None, ""))
            if (size, changed) == _state(path):
                found[path] = fact
        return found

    def note(self, entries: Iterable[FileFact]) -> None:
        """Write facts down."""
        rows = [
            (entry.kind, str(entry.path.absolute()), *_state(entry.path), entry.fact)
            for entry in entries
        ]
        with self._connection() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", rows
            )

    def digests(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Give the digest of each file's content, reading those that have changed."""
        return self.fill("digest", list(paths), file_digest)

    def fill(
        self, kind: str, paths: list[Path], find: Callable[[Path], str]
    ) -> dict[Path, str]:
        """Give a fact for each file, finding and noting those that are not known."""
        facts = self.known(kind, paths)
        new = [FileFact(kind, path, find(path)) for path in paths if path not in facts]
        if new:
            self.note(new)
        return {**facts, **{entry.path: entry.fact for entry in new}}

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Connect for one transaction."""
        try:
            connected = sqlite3.connect(self._file, timeout=60.0)
            with closing(connected) as connection, connection:
                yield connection
        except sqlite3.OperationalError:
            raise  # such as a full disk: nothing is wrong with the file
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(
                f"{self._file} cannot be used: {error}\n  delete it; only time is lost"
            ) from error


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
