"""The results behind each cell of the page, read again only when they change."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nserbench.benchmark.results.index import read_entries
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import PREDICTIONS, RESULT, Result
from nserbench.benchmark.store.digests import digest
from nserbench.leaderboard.page.index import CellFacts
from nserbench.leaderboard.reading.counts import RowColumn, row_and_column
from nserbench.leaderboard.reading.latest import latest_results
from nserbench.plain_data import parse_json

FORM = 5
"""Version of the cells' files; raise it when their content changes."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """The results that have all names but the seed in common.

    Two versions of a protocol have the same name, so a source may hold both.

    Attributes:
        key: Digest of the names.
        stamp: Digest of the files' paths, sizes and times of change.
    """

    key: str
    stamp: str
    folders: Sequence[Path]


@dataclass(frozen=True, slots=True)
class CellSources:
    """The results of one cell.

    Attributes:
        averaged: The results that the table averages, one for each seed.
        predictions: The file with the predictions of each of ``averaged``.
    """

    row_and_column: RowColumn
    results: Sequence[Result]
    averaged: Sequence[Result]
    predictions: Sequence[Path]


@dataclass(frozen=True, slots=True)
class PageParts:
    """The part of the page that was made from a source.

    Attributes:
        cells: Facts of each cell, by its id.
    """

    stamp: str
    cells: Mapping[str, CellFacts]
    files: Sequence[str]


def sources(roots: Sequence[Path]) -> list[PageSource]:
    """Return the sources in some folders, without reading predictions.

    Raises:
        BadResult: if one of them cannot be read.
    """
    folders: dict[str, list[Path]] = defaultdict(list)
    for root in roots:
        for entry in read_entries(root):
            names = {key: name for key, name in entry.names.items() if key != "seed"}
            folders[digest(names)].append(entry.folder)
    return [PageSource(key, _stamp(paths), paths) for key, paths in folders.items()]


def _stamp(folders: Sequence[Path]) -> str:
    files = [folder / name for folder in folders for name in (RESULT, PREDICTIONS)]
    facts = [
        (str(file.resolve()), file.stat().st_mtime_ns, file.stat().st_size)
        for file in files
        if file.exists()
    ]
    return digest([FORM, facts])


def gather(source: PageSource) -> Iterator[CellSources]:
    """Read the results of a source, and yield them by row and column.

    Raises:
        BadResult: if one of them cannot be read.
    """
    by_cell: dict[RowColumn, list[Result]] = defaultdict(list)
    files = {}
    for folder in source.folders:
        result = read_result(folder)
        by_cell[row_and_column(result)].append(result)
        files[id(result)] = folder / PREDICTIONS
    for cell, results in by_cell.items():
        averaged = latest_results(results).get(cell, [])
        predictions = [files[id(result)] for result in averaged]
        yield CellSources(cell, results, averaged, predictions)


def read_made(file: Path) -> dict[str, PageParts]:
    """Read the text of `made_text` from a file.

    Empty if there is no such file, or it is damaged: the page is then made anew.
    """
    if not file.is_file():
        return {}
    try:
        return {
            key: PageParts(parts["stamp"], dict(parts["cells"]), list(parts["files"]))
            for key, parts in parse_json(file.read_bytes()).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def made_text(made: Mapping[str, PageParts]) -> str:
    """Return as JSON what the page was made from, by the keys of the sources."""
    content = {key: asdict(parts) for key, parts in made.items()}
    return json.dumps(content, separators=(",", ":")) + "\n"
