"""Tables as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nserbench.leaderboard.render.csv_json import to_csv, to_json
from nserbench.leaderboard.render.latex import to_latex
from nserbench.leaderboard.render.layout import (
    CHANCE,
    SUSPECT,
    TIED,
    TableCell,
    TableLayout,
    plain,
)
from nserbench.leaderboard.render.markdown import escaped, markdown_row, markdown_rule
from nserbench.leaderboard.render.summary_sheet import as_layout
from nserbench.leaderboard.render.terminal_width import split_to_width
from nserbench.leaderboard.tables.summary import SummaryTable

TextColumn: TypeAlias = tuple[str, Sequence[Text]]
"""The header of a column, and its cells."""

__all__ = ["escaped", "print_table", "to_csv", "to_json", "to_latex", "to_markdown"]


def print_table(table: SummaryTable | TableLayout, console: Console) -> None:
    """Print a table, in several parts if it is wider than the console."""
    layout = as_layout(table)
    for part in split_to_width(_columns(layout), partial(_part, layout), console):
        console.print(part, "")
    for line in layout.footnotes():
        console.print(Text(line))


def _columns(layout: TableLayout) -> Iterator[TextColumn]:
    chance = layout.chance_by_title().values()
    for index, header in enumerate(layout.headers):
        cells = [_lines(row[index]) for row in layout.cells]
        cells.append(Text("\n".join(texts[index] for texts in chance)))
        yield "\n".join(map(plain, header)), cells
    if layout.ranks:
        yield "rank", [*(Text(cell_text(rank)) for rank in layout.ranks), Text("")]


def _part(layout: TableLayout, columns: Sequence[TextColumn]) -> Table:
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    part.add_column("upstream", overflow="fold", max_width=24)
    part.add_column("head", overflow="fold", max_width=16)
    part.add_column("")
    for header, _ in columns:
        part.add_column(Text(header), no_wrap=True)
    for index, row in enumerate(layout.rows):
        part.add_row(
            Text(plain(row.upstream)),
            Text(plain(row.downstream)),
            "\n".join(layout.titles),
            *(cells[index] for _, cells in columns),
        )
    if layout.chance and any(cells[-1].plain for _, cells in columns):
        part.add_section()
        titles = "\n".join(layout.chance_by_title())
        part.add_row(CHANCE, "", titles, *(cells[-1] for _, cells in columns))
    return part


def _lines(cells: Sequence[TableCell]) -> Text:
    lines = (
        Text(cell_text(cell), style="bold" if cell.column_rank == 1 else "")
        for cell in cells
    )
    return Text("\n").join(lines)


def cell_text(cell: TableCell, written: Callable[[str], str] = plain) -> str:
    """Write a cell in one line; ``written`` is applied to its further text."""
    interval = f"[{cell.interval}]" if cell.interval else ""
    value = cell.value + SUSPECT * cell.suspect
    parts = (value, interval + TIED * cell.tied, written(cell.word))
    return " ".join(filter(None, parts))


def to_markdown(table: SummaryTable | TableLayout) -> str:
    """Write a table in GitHub Markdown, a line for each row and metric."""
    layout = as_layout(table)
    ranks = ["rank"] if layout.ranks else []
    headers = [*(" ".join(header) for header in layout.headers), *ranks]
    lines = [
        markdown_row(map(escaped, ("upstream", "head", "metric", *headers))),
        markdown_rule(3, len(headers)),
        *_markdown_lines(layout),
    ]
    notes = (f"- {escaped(line)}" for line in layout.footnotes())
    return "\n".join([*lines, "", *notes, ""])


def _markdown_lines(layout: TableLayout) -> Iterator[str]:
    for index, row in enumerate(layout.rows):
        names = [escaped(row.upstream), escaped(row.downstream)]
        for number, title in enumerate(layout.titles):
            cells = (_markdown_cell(cell[number]) for cell in layout.cells[index])
            ranks = map(cell_text, layout.ranks[index : index + 1])
            yield markdown_row([*names, title, *cells, *ranks])
    for title, texts in layout.chance_by_title().items():
        yield markdown_row([CHANCE, "", title, *texts, *[""][: len(layout.ranks)]])


def _markdown_cell(cell: TableCell) -> str:
    text = cell_text(cell, escaped)
    return f"**{text}**" if cell.column_rank == 1 else text
