"""The results behind each cell of a page, read again only when they have changed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.benchmark.results.index import read_entries
from nserbench.benchmark.results.result import PREDICTIONS, RESULT, Result, read_result
from nserbench.benchmark.store.digests import digest
from nserbench.leaderboard.page.index import CellFacts
from nserbench.leaderboard.reading.counts import RowColumn, row_and_column
from nserbench.leaderboard.reading.latest import latest_results

FORM = 4
"""Raised whenever a cell's file would come out otherwise."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """The results of one name, seeds apart; of two versions of a protocol, both.

    Attributes:
        key: The same for the same names.
        stamp: The same as long as no file is written again.
        folders: Of the results.
    """

    key: str
    stamp: str
    folders: Sequence[Path]


@dataclass(frozen=True, slots=True)
class CellSources:
    """The results of a row and column.

    Attributes:
        where: The row and the column.
        results: All of them.
        found: Those that the table averages, one for each seed.
        predictions: The file of each of ``found``.
    """

    where: RowColumn
    results: Sequence[Result]
    found: Sequence[Result]
    predictions: Sequence[Path]


@dataclass(frozen=True, slots=True)
class PageParts:
    """What a page has of a source.

    Attributes:
        stamp: Of the source when it was read.
        cells: By the name of the cell.
        files: In the page's folder.
    """

    stamp: str
    cells: Mapping[str, CellFacts]
    files: Sequence[str]


def sources(roots: Sequence[Path]) -> list[PageSource]:
    """List the results of some folders without reading their predictions.

    Raises:
        BadResult: if one of them cannot be read.
    """
    named: dict[str, list[Path]] = defaultdict(list)
    for root in roots:
        for entry in read_entries(root):
            names = {key: one for key, one in entry.names.items() if key != "seed"}
            named[digest(names)].append(entry.folder)
    return [PageSource(key, _stamp(found), found) for key, found in named.items()]


def _stamp(folders: Sequence[Path]) -> str:
    files = [folder / name for folder in folders for name in (RESULT, PREDICTIONS)]
    facts = [
        (str(file.resolve()), file.stat().st_mtime_ns, file.stat().st_size)
        for file in files
        if file.exists()
    ]
    return digest([FORM, facts])


def gather(source: PageSource) -> Iterator[CellSources]:
    """Read the results of a source, and give them by row and column.

    Raises:
        BadResult: if one of them cannot be read.
    """
    apart: dict[RowColumn, list[Result]] = defaultdict(list)
    files = {}
    for folder in source.folders:
        result = read_result(folder)
        apart[row_and_column(result)].append(result)
        files[result.digest] = folder / PREDICTIONS
    for where, results in apart.items():
        found = latest_results(results).get(where, [])
        yield CellSources(where, results, found, [files[one.digest] for one in found])


def read_made(file: Path) -> dict[str, PageParts]:
    """Read what `write_made` wrote, by the keys of the sources; empty if nothing."""
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {
        key: PageParts(one["stamp"], one["cells"], one["files"])
        for key, one in content.items()
    }


def made_text(made: Mapping[str, PageParts]) -> str:
    """Write down what a page has, for the next time."""
    content = {
        key: {"stamp": one.stamp, "cells": one.cells, "files": one.files}
        for key, one in made.items()
    }
    return json.dumps(content, separators=(",", ":")) + "\n"
