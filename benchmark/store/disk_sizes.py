"""What files take on disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_BLOCK = 512
"""Bytes; the unit of ``st_blocks``."""
CLUSTER = 4096
"""Bytes; a file takes a multiple of it on most disks."""


def bytes_on_disk(path: Path) -> int:
    """Return what a file or a folder's list of files takes; 0 if it is not there.

    The larger of its length and of the blocks that the disk has given to it.
    """
    with suppress(FileNotFoundError):  # another process may delete it
        status = path.lstat()
        return max(status.st_size, getattr(status, "st_blocks", 0) * _BLOCK)
    return 0


def folder_bytes(root: Path) -> int:
    """Return what a folder takes on disk, with all that is in it."""
    return bytes_on_disk(root) + sum(
        bytes_on_disk(Path(folder, name))
        for folder, folders, files in os.walk(root)
        for name in (*folders, *files)
    )


def in_clusters(count: int) -> int:
    """Return what a new file of some bytes takes on disk.

    Examples:
        >>> in_clusters(1), in_clusters(8192)
        (4096, 8192)
    """
    return -(-count // CLUSTER) * CLUSTER
