"""What is fuzzed: valid inputs, and the function of nserbench that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Files: TypeAlias = Mapping[str, bytes]
"""An input: the content of each file by its path in the folder that is read."""


def _nothing(folder: Path) -> None:
    pass


def _as_it_is(files: Files) -> Files:
    return files


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes:
        name: Name in the table of docs/reliability.md.
        seeds: Returns valid inputs. They are made once, before the first input.
        read: Reads an input as nserbench does. An input ends well if this returns, or
            raises an `NserbenchError`.
        words: Texts that mean something in the format, to be inserted.
        prepare: Writes what the input needs beside it, once, into an empty folder.
        seal: Makes a changed input pass for an undamaged one where the files have a
            digest of themselves. It is applied to every second input.
        share: Part of the inputs that `make test` runs, below 1 where one takes long.
        clears: Whether reading leaves files behind, which are then deleted.
    """

    name: str
    seeds: Callable[[], Sequence[Files]]
    read: Callable[[Path], object]
    words: Sequence[bytes] = ()
    prepare: Callable[[Path], None] = _nothing
    seal: Callable[[Files], Files] = _as_it_is
    share: float = 1.0
    clears: bool = False
