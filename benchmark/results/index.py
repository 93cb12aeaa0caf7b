"""Finding results without reading their predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nserbench.benchmark.results.read_results import (
    ResultFile,
    read_status,
    result_folders,
)
from nserbench.benchmark.results.result import RESULT, CellName, Status
from nserbench.errors import BadResult, UnknownName


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


def find_result(text: str, root: Path) -> Path:
    """Find a result folder by its path, its name or the beginning of its digest.

    Raises:
        UnknownName: if no result fits.
        BadResult: if the digests of several results begin with the text.
    """
    for folder in (Path(text), root / text):
        if (folder / RESULT).is_file():
            return folder
    entries = read_entries(root)
    fitting = [entry.folder for entry in entries if entry.digest.startswith(text)]
    if not fitting:
        known = [entry.folder.name for entry in entries]
        raise UnknownName("cell", text, known, f"looked in {root}")
    if len(fitting) > 1:
        names = "\n  ".join(folder.name for folder in fitting)
        raise BadResult(f"the digests of several cells begin with {text!r}\n  {names}")
    return fitting[0]


def _read_entry(folder: Path) -> ResultEntry:
    file = ResultFile(folder)
    entry = ResultEntry(folder, file.cell, file.status, file.take("digest", str))
    file.check()
    return entry
