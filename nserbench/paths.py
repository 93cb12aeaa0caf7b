"""Paths that somebody else wrote: of a user without a home, or of no possible file."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(text: str | Path) -> Path:
    """Return a path with ``~`` or ``~USER`` replaced, unless there is no such user.

    `Path.expanduser` raises then, and a message that the path does not exist says more.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111


def exists(path: Path) -> bool:
    """Return whether there is such a file or folder; False also as for `is_file`."""
    return os.path.exists(path)  # noqa: PTH110 - as in `is_file`


def is_folder(path: Path) -> bool:
    """Return whether there is such a folder; False also as for `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112 - as in `is_file`


def is_file(path: Path) -> bool:
    """Return whether there is such a file; False also for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for such a name
