"""Paths that somebody else wrote, and errors that name no path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def user_path(text: str | Path) -> Path:
    """Return a path with ``~`` and ``$VARIABLE`` replaced, where both are known.

    Otherwise it is the path as written: a message that it does not exist says more.
    """
    try:
        return expanded_path(str(text))
    except ValueError:
        return Path(text)


def expanded_path(text: str, folder: Path = Path()) -> Path:
    """Return the path that a text names, with ``~`` and ``$VARIABLE`` replaced.

    A file that has just this name is taken as it is.

    Args:
        text: The path as it was written.
        folder: The folder at which relative paths start.

    Raises:
        ValueError: if a variable is not set, or ``~NAME`` is not a user.
    """
    if not text.startswith("~") and "$" not in text:
        return folder / text
    if exists(folder / text):
        return folder / text
    expanded = os.path.expandvars(text)
    try:
        path = folder / Path(expanded).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text}: {error}") from error
    if exists(path):
        return path
    if missing := _unset(expanded):
        raise ValueError(f"{text}: the variable {missing} is not set")
    return path


def not_there(path: Path, what: str) -> str:
    """Return what to say of a user's path that is no file or folder.

    Args:
        what: ``"file"`` or ``"folder"``.

    Examples:
        >>> not_there(Path("noise.wav"), "file")
        'is not a file'
        >>> not_there(Path("$NO_SUCH_FOLDER/noise.wav"), "file")
        'is not a file: the variable $NO_SUCH_FOLDER is not set'
    """
    missing = _unset(str(path))
    why = "" if missing is None else f": the variable {missing} is not set"
    return f"is not a {what}{why}"


def _unset(text: str) -> str | None:
    missing = _VARIABLE.search(os.path.expandvars(text))
    return missing[0] if missing else None


def exists(path: Path) -> bool:
    """Return whether there is such a file or folder; False also as for `is_file`."""
    return os.path.exists(path)  # noqa: PTH110 - as in `is_file`


def is_folder(path: Path) -> bool:
    """Return whether there is such a folder; False also as for `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112 - as in `is_file`


def is_file(path: Path) -> bool:
    """Return whether there is such a file; False also for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for such a name


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Name a file or folder in errors that name none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
