"""Tables as text for a terminal and as Markdown; the other forms beside them."""

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

Shown: TypeAlias = tuple[str, Sequence[Text]]
"""The head of a column, and its cells."""

__all__ = ["escaped", "print_table", "to_csv", "to_json", "to_latex", "to_markdown"]


def print_table(table: SummaryTable | TableLayout, console: Console) -> None:
    """Print a table, in as many parts as the width of the console asks for."""
    sheet = as_layout(table)
    for part in split_to_width(_columns(sheet), partial(_part, sheet), console):
        console.print(part, "")
    for line in sheet.lines():
        console.print(Text(line))


def _columns(sheet: TableLayout) -> Iterator[Shown]:
    for number, head in enumerate(sheet.headers):
        cells = [_lines(row[number]) for row in sheet.cells]
        cells.append(
            Text("\n".join(one[number] for one in sheet.chance_by_title().values()))
        )
        yield "\n".join(map(plain, head)), cells
    if sheet.ranks:
        yield "rank", [*(Text(cell_text(rank)) for rank in sheet.ranks), Text("")]


def _part(sheet: TableLayout, columns: Sequence[Shown]) -> Table:
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    part.add_column("upstream", overflow="fold", max_width=24)
    part.add_column("downstream", overflow="fold", max_width=16)
    part.add_column("")
    for head, _ in columns:
        part.add_column(Text(head), no_wrap=True)
    for number, row in enumerate(sheet.rows):
        part.add_row(
            Text(plain(row.upstream)),
            Text(plain(row.downstream)),
            "\n".join(sheet.titles),
            *(cells[number] for _, cells in columns),
        )
    if sheet.chance and any(cells[-1].plain for _, cells in columns):
        part.add_section()
        part.add_row(
            CHANCE,
            "",
            "\n".join(sheet.chance_by_title()),
            *(cells[-1] for _, cells in columns),
        )
    return part


def _lines(cells: Sequence[TableCell]) -> Text:
    lines = (
        Text(cell_text(cell), style="bold" if cell.column_rank == 1 else "")
        for cell in cells
    )
    return Text("\n").join(lines)


def cell_text(cell: TableCell, written: Callable[[str], str] = plain) -> str:
    """Write a number with what belongs to it; names as ``written`` has them."""
    interval = f"[{cell.interval}]" if cell.interval else ""
    value = cell.value + SUSPECT * cell.suspect
    parts = (value, interval + TIED * cell.tied, written(cell.word))
    return " ".join(filter(None, parts))


def to_markdown(table: SummaryTable | TableLayout) -> str:
    """Give a table in GitHub's dialect, a line for each row and metric."""
    sheet = as_layout(table)
    ranks = ["rank"] if sheet.ranks else []
    heads = [*(" ".join(head) for head in sheet.headers), *ranks]
    lines = [
        markdown_row(map(escaped, ("upstream", "downstream", "metric", *heads))),
        markdown_rule(3, len(heads)),
        *_markdown_lines(sheet),
    ]
    notes = (f"- {escaped(line)}" for line in sheet.lines())
    return "\n".join([*lines, "", *notes, ""])


def _markdown_lines(sheet: TableLayout) -> Iterator[str]:
    for number, row in enumerate(sheet.rows):
        names = [escaped(row.upstream), escaped(row.downstream)]
        for place, title in enumerate(sheet.titles):
            cells = (_markdown_cell(found[place]) for found in sheet.cells[number])
            ranks = map(cell_text, sheet.ranks[number : number + 1])
            yield markdown_row([*names, title, *cells, *ranks])
    for title, texts in sheet.chance_by_title().items():
        yield markdown_row([CHANCE, "", title, *texts, *[""][: len(sheet.ranks)]])


def _markdown_cell(cell: TableCell) -> str:
    text = cell_text(cell, escaped)
    return f"**{text}**" if cell.column_rank == 1 else text
