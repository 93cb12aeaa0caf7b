"""Finding results without reading their predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nserbench.benchmark.results.result import (
    RESULT,
    Status,
    read_status,
    result_folders,
)
from nserbench.errors import BadResult, UnknownName


@dataclass(frozen=True, slots=True)
class ResultEntry:
    """A result as a table of contents shows it.

    Attributes:
        folder: Where it is.
        names: Of the cell: upstream, downstream, corpus, condition, protocol, seed.
        status: Whether it is done.
        digest: Of the cell.
    """

    folder: Path
    names: Mapping[str, Any]
    status: Status
    digest: str


def read_entries(root: Path) -> list[ResultEntry]:
    """List the results in a folder, by name.

    Raises:
        BadResult: if one of them cannot be read.
    """
    return [_entry(folder) for folder in result_folders(root)]


def is_done(folder: Path) -> bool:
    """Tell whether a folder holds the result of a cell that was run.

    Raises:
        BadResult: if it holds one that cannot be read.
    """
    return (folder / RESULT).is_file() and read_status(folder) == "done"


def find_result(text: str, root: Path) -> Path:
    """Find a result by its folder or by the beginning of its digest.

    Raises:
        UnknownName: if there is none.
        BadResult: if several digests begin so.
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
        raise BadResult(f"several cells begin with {text!r}\n  {names}")
    return fitting[0]


def _entry(folder: Path) -> ResultEntry:
    status = read_status(folder)
    content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    try:
        return ResultEntry(folder, content["cell"], status, content["digest"])
    except KeyError as error:
        raise BadResult(f"{folder / RESULT} has no field {error}") from error
