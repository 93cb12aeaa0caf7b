"""Paths as people write them, with ``~`` and ``$VARIABLE``."""

from __future__ import annotations

import os
import re
from pathlib import Path

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def user_path(text: str, folder: Path = Path()) -> Path:
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
    if (folder / text).exists():
        return folder / text
    expanded = os.path.expandvars(text)
    try:
        path = folder / Path(expanded).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text}: {error}") from error
    if path.exists():
        return path
    if missing := _VARIABLE.search(expanded):
        raise ValueError(f"{text}: the variable {missing[0]} is not set")
    return path
