"""Write the folder of the page: its files, the data, and the predictions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.metrics import METRICS
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.page.details import details
from nserbench.leaderboard.page.index import CellFacts, cell_id, index
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
    plugins: Plugins | None = None,
) -> Path:
    """Write the page of one or more folders of results.

    Cells whose results have not changed since the page was last written are kept as
    they are.

    Args:
        out: Folder of the page, which is made if it does not exist. A page in it is
            replaced; other files in it are kept.
        metrics: Names in `METRICS`; the page opens with the first. It has all other
            metrics as well.
        plugins: Whose cards say what is known of names; by default those installed.

    Returns:
        The page's ``index.html``.

    Raises:
        NserbenchError: if ``out`` has no page, but files with the names of its files.
        BadResult: if there are no results, or a result cannot be read.
    """
    _refuse_other_content(out)
    folders = [roots] if isinstance(roots, Path) else roots
    names = tuple(dict.fromkeys([*metrics, *METRICS]))
    table = summary_table(folders, names, reference=reference, rank_by_all=True)
    for name in (CELLS, PREDICTIONS):
        (out / name).mkdir(parents=True, exist_ok=True)
    made = _make_cells(out, table, sources(folders))
    measured = {
        name: parts.cells[name] for parts in made.values() for name in parts.cells
    }
    for name in LIBRARY:
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(Path(__file__).with_name(name), out / name)
    (out / LIBRARY[0] / PAGE).replace(out / PAGE)
    _write_text(out / MADE, made_text(made))
    content = index(table, measured, plugins or Plugins())
    _write_text(out / INDEX, as_script("nserbench.index", content))
    _remove_others(out, {file for parts in made.values() for file in parts.files})
    return out / PAGE


def _refuse_other_content(out: Path) -> None:
    if (out / INDEX).is_file():
        return
    names = (PAGE, *LIBRARY, "data", PREDICTIONS)
    taken = [name for name in names if (out / name).exists()]
    if taken or out.is_file():
        raise NserbenchError(
            f"the page cannot be written to {out}: "
            f"{f'it has {taken[0]}, but no page' if taken else 'it is a file'}\n"
            "  name another folder, or empty this one"
        )


def _make_cells(
    out: Path, table: SummaryTable, page_sources: Sequence[PageSource]
) -> dict[str, PageParts]:
    """Write the cells of all sources that have changed."""
    before = read_made(out / MADE)
    return {
        source.key: kept
        if (kept := before.get(source.key))
        and kept.stamp == source.stamp
        and all((out / file).is_file() for file in kept.files)
        else _make(out, table, source)
        for source in page_sources
    }


def _make(out: Path, table: SummaryTable, source: PageSource) -> PageParts:
    cells: dict[str, CellFacts] = {}
    written: list[str] = []
    for cell in gather(source):
        name = cell_id(*cell.row_and_column)
        try:
            written += _write_cell(out, name, cell)
            cells[name] = _facts(table, cell)
        except BadResult:
            raise
        except (KeyError, TypeError, ValueError) as error:
            folders = ", ".join(str(folder) for folder in source.folders)
            raise BadResult(
                f"{folders}: a field has a wrong value: {error}\n"
                "  delete the folder and run the cell again"
            ) from error
    return PageParts(source.stamp, cells, written)


def _write_cell(out: Path, name: str, cell: CellSources) -> list[str]:
    copies = [f"{PREDICTIONS}/{name}-seed{result.seed}.csv" for result in cell.averaged]
    for file, copy in zip(cell.predictions, copies, strict=True):
        shutil.copyfile(file, out / copy)
    content = details(cell.results, cell.averaged, copies)
    script = f"{CELLS}/{name}.js"
    _write_text(out / script, as_script(f'nserbench.cells["{name}"]', content))
    return [script, *copies]


def _facts(table: SummaryTable, cell: CellSources) -> CellFacts:
    row, column = cell.row_and_column
    part = replace(table, rows=[row], columns=[column])
    facts = CellFacts()
    for point in wer_points(part, cell.averaged, table.metrics[0]):
        facts["rate"] = point.measure, round(point.rate, 4)
    for cost in costs(part, cell.averaged, table.metrics[0]):
        parameters = cost.trainable_parameters, cost.frozen_parameters
        facts["cost"] = cost.seconds, *parameters
    return facts


def as_script(target: str, content: object) -> str:
    r"""Return the script that sets a variable of the page to some data.

    A page that is opened from a file may load nothing but scripts. The variable is a
    JavaScript expression such as ``nserbench.index``.

    Raises:
        ValueError: if a number in it is infinite or NaN, which JSON cannot hold.

    Examples:
        >>> print(as_script("a.b", ["<i>"]), end="")
        a.b = ["\u003ci>"];
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    # ASCII without "<", so that no part of it can be read as an HTML tag.
    return f"{target} = {text.replace('<', chr(92) + 'u003c')};\n"


def _write_text(file: Path, text: str) -> None:
    """Write a file whole, or leave the old one."""
    new = file.with_name(f".{file.name}")
    new.write_text(text, encoding="utf-8", newline="\n")
    new.replace(file)


def _remove_others(out: Path, wanted: set[str]) -> None:
    """Remove the files of cells that have no result any more."""
    for folder in (CELLS, PREDICTIONS):
        for file in (out / folder).iterdir():
            if f"{folder}/{file.name}" not in wanted:
                file.unlink()
