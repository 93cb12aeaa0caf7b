"""The folder of the page: its files, the data, and the predictions to download."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nserbench.benchmark.results.metrics import METRICS
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.page.details import details
from nserbench.leaderboard.page.index import CellFacts, cell_id, index
from nserbench.leaderboard.page.scripts import as_script
from nserbench.leaderboard.page.sources import (
    CellSources,
    PageParts,
    PageSource,
    gather,
    made_text,
    read_made,
    sources,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.tables.series import costs, wer_points
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

PAGE = "index.html"
LIBRARY = ("assets", "vendor")
CELLS = "data/cells"
PREDICTIONS = "predictions"
INDEX = "data/index.js"
MADE = "data/made.json"


def write_page(
    roots: Path | Sequence[Path],
    out: Path,
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
) -> Path:
    """Write the page of one or more folders of results.

    Cells whose results have not changed since the page was last written are kept.

    Args:
        roots: The folders.
        out: The folder of the page; made where need be. A page in it is replaced,
            and what else lies there is left alone.
        metrics: Names in `METRICS`, the one to begin with first. The page has the
            others as well.
        reference: The row that the others are compared with.

    Returns:
        The page's ``index.html``.

    Raises:
        NserbenchError: if ``out`` holds other things of the page's names.
        BadResult: if there are no results, or one cannot be read.
    """
    _refuse_other_content(out)
    folders = [roots] if isinstance(roots, Path) else roots
    names = tuple(dict.fromkeys([*metrics, *METRICS]))
    table = summary_table(folders, names, reference=reference)
    for name in (CELLS, PREDICTIONS):
        (out / name).mkdir(parents=True, exist_ok=True)
    made = _make_cells(out, table, sources(folders))
    measured = {name: one for each in made.values() for name, one in each.cells.items()}
    _copy_library(out)
    _write_text(out / MADE, made_text(made))
    _write_text(out / INDEX, as_script("nserbench.index", index(table, measured)))
    _remove_others(out, {file for each in made.values() for file in each.files})
    return out / PAGE


def _refuse_other_content(out: Path) -> None:
    if (out / INDEX).is_file():
        return
    names = (PAGE, *LIBRARY, "data", PREDICTIONS)
    taken = [name for name in names if (out / name).exists()]
    if taken or out.is_file():
        raise NserbenchError(
            f"{out} holds no page, but {taken[0] if taken else 'is a file'}\n"
            "  name another folder, or empty this one"
        )


def _make_cells(
    out: Path, table: SummaryTable, found: Sequence[PageSource]
) -> dict[str, PageParts]:
    before = read_made(out / MADE)
    return {
        source.key: kept
        if (kept := before.get(source.key)) and _stands(out, source, kept)
        else _make(out, table, source)
        for source in found
    }


def _stands(out: Path, source: PageSource, made: PageParts) -> bool:
    """Tell whether a page has all that it would get of a source."""
    return made.stamp == source.stamp and all(
        (out / file).is_file() for file in made.files
    )


def _make(out: Path, table: SummaryTable, source: PageSource) -> PageParts:
    """Write the cells of a source."""
    cells: dict[str, CellFacts] = {}
    written: list[str] = []
    for one in gather(source):
        name = cell_id(*one.where)
        try:
            written += _write_cell(out, name, one)
            cells[name] = _measured(table, one)
        except BadResult:
            raise
        except (KeyError, TypeError, ValueError) as error:
            folders = ", ".join(str(folder) for folder in source.folders)
            raise BadResult(
                f"{folders}: a field is not what it should be: {error}\n"
                "  delete the folder and run the cell again"
            ) from error
    return PageParts(source.stamp, cells, written)


def _write_cell(out: Path, name: str, one: CellSources) -> list[str]:
    """Write what the page has of a cell, and give the files."""
    copies = [f"{PREDICTIONS}/{name}-seed{result.seed}.csv" for result in one.found]
    for file, copy in zip(one.predictions, copies, strict=True):
        shutil.copyfile(file, out / copy)
    content = details(one.results, one.found, copies)
    script = f"{CELLS}/{name}.js"
    _write_text(out / script, as_script(f'nserbench.cells["{name}"]', content))
    return [script, *copies]


def _measured(table: SummaryTable, one: CellSources) -> CellFacts:
    row, column = one.where
    part = replace(table, rows=[row], columns=[column])
    found = CellFacts()
    for heard in wer_points(part, one.found, table.metrics[0]):
        found["rate"] = heard.measure, round(heard.rate, 4)
    for cost in costs(part, one.found, table.metrics[0]):
        found["cost"] = cost.seconds, cost.trainable_parameters
    return found


def _copy_library(out: Path) -> None:
    for name in LIBRARY:
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(Path(__file__).with_name(name), out / name)
    (out / LIBRARY[0] / PAGE).replace(out / PAGE)


def _write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = file.with_name(f".{file.name}")
    new.write_text(text, encoding="utf-8", newline="\n")
    new.replace(file)


def _remove_others(out: Path, wanted: set[str]) -> None:
    """Remove the files of cells that are no more."""
    for folder in (CELLS, PREDICTIONS):
        for file in (out / folder).iterdir():
            if f"{folder}/{file.name}" not in wanted:
                file.unlink()
