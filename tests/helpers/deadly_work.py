"""Work for worker processes, some of which it ends."""

import os
from collections.abc import Sequence
from pathlib import Path


def work(folder: Path, names: Sequence[str]) -> list[str]:
    """Note each name as started; a deadly name ends this process."""
    for name in names:
        with (folder / name).open("a") as file:
            file.write("started\n")
        if name.startswith("deadly"):
            os._exit(9)
        if name.startswith("once") and (folder / name).read_text() == "started\n":
            os._exit(9)
    return [f"{name} done" for name in names]


def give_up(names: Sequence[str]) -> list[str]:
    """Return that each name failed."""
    return [f"{name} failed" for name in names]
