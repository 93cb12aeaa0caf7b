"""Tables as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from nserbench.leaderboard.render.csv_json import to_csv, to_json
from nserbench.leaderboard.render.grid import (
    METRIC,
    Grid,
    GridRow,
    GridText,
    escaped,
    html_text,
)
from nserbench.leaderboard.render.latex import to_latex
from nserbench.leaderboard.render.layout import (
    CHANCE,
    TIED,
    TableCell,
    TableLayout,
    plain,
)
from nserbench.leaderboard.render.summary_sheet import as_layout
from nserbench.leaderboard.tables.summary import SummaryTable

__all__ = ["print_table", "to_csv", "to_html", "to_json", "to_latex", "to_markdown"]


def print_table(table: SummaryTable | TableLayout, console: Console) -> None:
    """Print a table, in several parts if it is wider than the console."""
    layout = as_layout(table)
    _grid(layout).print(console)
    for line in layout.footnotes():
        console.print(Text(line))


def to_markdown(table: SummaryTable | TableLayout) -> str:
    """Write a table in GitHub Markdown, a line for each row and metric."""
    layout = as_layout(table)
    notes = (f"- {escaped(line)}" for line in layout.footnotes())
    return "\n".join([*_grid(layout).markdown(), "", *notes, ""])


def to_html(table: SummaryTable | TableLayout) -> str:
    """Write a table in HTML, with its notes as a list below."""
    layout = as_layout(table)
    notes = (f"<li>{html_text(line)}</li>" for line in layout.footnotes())
    return "\n".join([*_grid(layout).html(), "<ul>", *notes, "</ul>"])


def _grid(layout: TableLayout) -> Grid:
    rows = []
    for index, row in enumerate(layout.rows):
        cells = [[_line(cell) for cell in cells] for cells in layout.cells[index]]
        cells += ([_line(rank)] for rank in layout.ranks[index : index + 1])
        rows.append(GridRow((row.upstream, row.downstream), layout.titles, cells))
    chance = layout.chance_by_title()
    levels = [
        list(map(GridText, texts)) for texts in zip(*chance.values(), strict=True)
    ]
    if layout.ranks:
        levels.append([GridText("")])
    return Grid(
        names=("upstream", "head", METRIC),
        widths=(24, 16, None),
        pad_edge=False,
        heads=[*layout.headers, *([("rank",)] if layout.ranks else [])],
        rows=rows,
        last=GridRow((CHANCE, ""), list(chance), levels) if chance else None,
    )


def _line(cell: TableCell) -> GridText:
    best = cell.column_rank == 1
    return GridText(cell_text(cell), best, cell_text(cell, escaped))


def cell_text(cell: TableCell, written: Callable[[str], str] = plain) -> str:
    """Write a cell in one line; ``written`` is applied to its further text."""
    interval = f"[{cell.interval}]" if cell.interval else ""
    parts = (cell.value + cell.marks, interval + TIED * cell.tied, written(cell.word))
    return " ".join(filter(None, parts))
