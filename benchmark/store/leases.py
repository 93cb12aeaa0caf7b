"""Leases: files of the store that a running command uses, and nobody may delete."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from nserbench.benchmark.store.whole_files import write_whole
from nserbench.disk_clock import disk_time
from nserbench.plain_data import is_whole, parse_json

BEAT = 20.0
"""Seconds between two signs of life of a lease."""
DEAD_AFTER = 180.0
"""Seconds without a sign of life after which a lease is not valid any more."""
_FOLDER = "in-use"
_MOST_PROCESSES = 2**31 - 1
"""Largest number of a process that the system's calls take."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The files that a command uses.

    Attributes:
        holder: Machine and process of the command, for messages.
        paths: Files and folders, relative to the store.
    """

    holder: str
    paths: frozenset[str]

    def covers(self, path: Path, root: Path) -> bool:
        """Return whether a file of the store, or its folder, is in use."""
        relative = path.relative_to(root)
        return not self.paths.isdisjoint({str(relative), str(relative.parent)})


@contextmanager
def lease(root: Path, paths: Iterable[Path]) -> Iterator[Path | None]:
    """Keep files of a store from being deleted while this context is open.

    A thread renews the lease. If the process dies, the lease ends after `DEAD_AFTER`,
    on the same machine at once (not on Windows). In a read-only store nothing can be
    deleted, and there is no lease.

    Args:
        root: Path of the store.
        paths: Files and folders in it; they need not exist yet.

    Yields:
        The file of the lease; None in a read-only store.
    """
    content = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "paths": sorted(str(path.relative_to(root)) for path in paths),
    }
    file = root / _FOLDER / f"{uuid4().hex}.json"
    if not os.access(root, os.W_OK):
        yield None
        return
    write_whole(file, json.dumps(content).encode())
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(file, ended), daemon=True)
    beating.start()
    try:
        yield file
    finally:
        ended.set()
        beating.join()
        file.unlink(missing_ok=True)


def living_leases(root: Path, besides: Path | None = None) -> list[Lease]:
    """Return the leases of commands that still run, and delete those of dead ones.

    Args:
        root: Path of the store.
        besides: File of a lease that is left out, such as one's own.
    """
    folder, leases = root / _FOLDER, []
    files = [file for file in folder.glob("*.json") if file != besides]
    if not files:
        return []
    now = disk_time(folder)
    for file in files:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            content = parse_json(file.read_bytes())
            host, pid = str(content["host"]), content["pid"]
            if not is_whole(pid, 1, _MOST_PROCESSES):
                raise ValueError(f"{pid!r} is no number of a process")
            holder = f"{host}, process {pid}"
            old = now - file.stat().st_mtime > DEAD_AFTER
            if old or _is_dead(host, pid):
                file.unlink(missing_ok=True)
                continue
            leases.append(Lease(holder, frozenset(content["paths"])))
    return leases


def _beat(file: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with contextlib.suppress(OSError):  # a full disk must not end the command
            os.utime(file)


def _is_dead(host: str, pid: int) -> bool:
    """Return whether a process is known to have ended.

    False on another machine, and on Windows, where `os.kill` would end the process:
    there, only `DEAD_AFTER` tells.
    """
    if host != socket.gethostname() or sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
