"""Finding results without reading their predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from nserbench.benchmark.results.read_results import (
    ResultFile,
    read_status,
    result_folders,
)
from nserbench.benchmark.results.result import RESULT, CellName, Status
from nserbench.errors import BadResult, UnknownName

DIGITS = 10
"""Digits of a digest in messages."""


@dataclass(frozen=True, slots=True)
class ResultEntry:
    """A result without its predictions, as in a list of results."""

    folder: Path
    cell: CellName
    status: Status
    digest: str

    @property
    def names(self) -> dict[str, Any]:
        """The names of the cell, by what each names."""
        return asdict(self.cell)


def read_entries(root: Path) -> list[ResultEntry]:
    """Read the entries of all results in a folder, sorted by the name of their folder.

    Raises:
        BadResult: if one of them cannot be read.
    """
    return [_read_entry(folder) for folder in result_folders(root)]


def is_done(folder: Path) -> bool:
    """Return whether a folder holds the result of a cell that was run to its end.

    Raises:
        BadResult: if it holds a result that cannot be read.
    """
    return (folder / RESULT).is_file() and read_status(folder) == "done"


def find_result(text: str, root: Path, *, any_seed: bool = False) -> Path:
    """Find a result folder by its path or name, or by the cell that it holds.

    Args:
        text: The folder, the beginning of the digest, or the names of the cell as
            tables print them, ``"mel x mean x demo park@0 (probe, seed 0)"``. What
            follows from the others may be left out at the end.
        root: Folder of all results.
        any_seed: Whether the first seed is meant where results differ in it alone.

    Raises:
        UnknownName: if no result fits.
        BadResult: if several results fit.
    """
    for folder in (Path(text), root / text):
        if (folder / RESULT).is_file():
            return folder
    entries = read_entries(root)
    fitting = [
        entry
        for entry in entries
        if entry.digest.startswith(text) or _is_named(entry.cell, text)
    ]
    if not fitting:
        known = [str(entry.cell) for entry in entries]
        raise UnknownName("cell", text, known, f"looked in {root}")
    if any_seed and _differ_in_seed(fitting):
        return min(fitting, key=attrgetter("cell.seed")).folder
    if len(fitting) > 1:
        several = (f"{entry.digest[:DIGITS]}: {entry.cell}" for entry in fitting)
        listed = "\n  ".join(several)
        raise BadResult(
            f"several cells are meant by {text!r}: give the digest of one\n  {listed}"
        )
    return fitting[0].folder


def _differ_in_seed(entries: list[ResultEntry]) -> bool:
    """Return whether results are one cell with seeds that differ."""
    cells = {replace(entry.cell, seed=0) for entry in entries}
    return len(cells) == 1 and len({entry.cell.seed for entry in entries}) == len(
        entries
    )


def _is_named(cell: CellName, text: str) -> bool:
    """Return whether a text is the beginning of the names of a cell, in whole words.

    Examples:
        >>> cell = CellName("mel", "mean", "demo", "park@0", "demo", 0)
        >>> [_is_named(cell, text) for text in ("mel x mean", "mel x me")]
        [True, False]
    """
    return f"{cell} ".startswith(f"{text} ")


def _read_entry(folder: Path) -> ResultEntry:
    file = ResultFile(folder)
    entry = ResultEntry(folder, file.cell, file.status, file.take("digest", str))
    file.check()
    return entry
