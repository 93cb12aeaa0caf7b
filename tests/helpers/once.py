"""What several test processes read, made by the first that needs it."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

Made = TypeVar("Made")


def made_once(folder: Path, make: Callable[[Path], Made]) -> Made:
    """Return what a function made in a folder; other processes read what it returned.

    Args:
        folder: The folder, which is created. Its name says what is in it.
        make: Fills the folder; what it returns can be pickled.
    """
    returned = folder.with_suffix(".pickle")
    with FileLock(folder.with_suffix(".lock")):
        if not returned.exists():
            folder.mkdir()
            returned.write_bytes(pickle.dumps(make(folder)))
        made: Made = pickle.loads(returned.read_bytes())
    return made
