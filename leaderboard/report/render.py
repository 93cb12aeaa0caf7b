"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.render.markdown import escaped, markdown_row, markdown_rule
from nserbench.leaderboard.render.terminal_width import split_to_width
from nserbench.leaderboard.report.report import PaperReport
from nserbench.leaderboard.report.tables import Section


def print_report(report: PaperReport, console: Console) -> None:
    """Print each table, split by columns where it is wider than the console."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.description), "")
    for section in report.sections:
        console.print(Text(plain(section.title), style="bold"))
        columns = range(len(section.heads))
        for part in split_to_width(columns, partial(_part, section), console):
            console.print(part, "")
        for line in section.notes:
            console.print(Text(plain(line)))
        console.print()
    for line in report.notes:
        console.print(Text(plain(line)))


def _part(section: Section, columns: Sequence[int]) -> Table:
    """Return some columns of a section as a table for the terminal."""
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in section.names:
        part.add_column(name, overflow="fold", max_width=24)
    for column in columns:
        part.add_column(Text(plain(section.heads[column])), no_wrap=True)
    bold = best_cells(section)
    names_above: Sequence[str] = ()
    for row, (names, cells) in enumerate(section.rows):
        texts = [
            Text(cells[column].text, style="bold" if (row, column) in bold else "")
            for column in columns
        ]
        part.add_row(*map(Text, _blank_repeated(names, names_above)), *texts)
        names_above = names
    return part


def _blank_repeated(names: Sequence[str], names_above: Sequence[str]) -> Sequence[str]:
    """Replace the names that the row above has, too, by empty texts."""
    same = 0
    while same < len(names) - 1 and names[: same + 1] == names_above[: same + 1]:
        same += 1
    return ["" if column < same else name for column, name in enumerate(names)]


def to_markdown(report: PaperReport) -> str:
    """Return the tables in GitHub's Markdown, each under its own heading."""
    lines = [f"# {escaped(report.title)}", "", escaped(report.description), ""]
    for section in report.sections:
        lines += [f"## {escaped(section.title)}", "", *_markdown(section), ""]
        lines += [f"- {escaped(line)}" for line in section.notes]
        lines += [""] if section.notes else []
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in report.notes), ""])


def _markdown(section: Section) -> Iterator[str]:
    yield markdown_row([*map(escaped, section.names), *map(escaped, section.heads)])
    yield markdown_rule(len(section.names), len(section.heads))
    bold = best_cells(section)
    for row, (names, cells) in enumerate(section.rows):
        texts = [
            f"**{escaped(cell.text)}**" if (row, column) in bold else escaped(cell.text)
            for column, cell in enumerate(cells)
        ]
        yield markdown_row([*map(escaped, names), *texts])


def best_cells(section: Section) -> set[tuple[int, int]]:
    """Return row and column of the best values of each column.

    Where the last name of a row is a metric, rows are compared within each metric.
    """
    compared: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for row, (names, cells) in enumerate(section.rows):
        for column, cell in enumerate(cells):
            if cell.value is not None:
                metric = names[-1] if section.by_metric else ""
                # Values that are printed alike are equally good.
                value = round(cell.value, 3)
                compared.setdefault((metric, column), []).append((value, row))
    return {
        (row, column)
        for (_, column), values in compared.items()
        if len(values) > 1
        for value, row in values
        if value == max(values)[0]
    }
