"""The clock of a disk, which may differ from that of this machine."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4


def disk_time(folder: Path) -> float:
    """Return the time that a file gets which is written to a folder now.

    In seconds since 1970. Ages of files are differences from it, so that a wrong clock
    of this machine, or of a file server, does not make new files look old.

    Raises:
        OSError: if the folder cannot be written.
    """
    probe = folder / f".{uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
