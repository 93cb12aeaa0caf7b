"""A report as text for a terminal, and as Markdown."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from nserbench.leaderboard.render.grid import Grid, GridRow, GridText, escaped
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.report.report import PaperReport
from nserbench.leaderboard.report.tables import Section


def print_report(report: PaperReport, console: Console) -> None:
    """Print each table, split by columns where it is wider than the console."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.description), "")
    for section in report.sections:
        console.print(Text(plain(section.title), style="bold"))
        _grid(section).print(console)
        for line in section.notes:
            console.print(Text(plain(line)))
        console.print()
    for line in report.notes:
        console.print(Text(plain(line)))


def to_markdown(report: PaperReport) -> str:
    """Return the tables in GitHub's Markdown, each under its own heading."""
    lines = [f"# {escaped(report.title)}", "", escaped(report.description), ""]
    for section in report.sections:
        lines += [f"## {escaped(section.title)}", "", *_grid(section).markdown(), ""]
        lines += [f"- {escaped(line)}" for line in section.notes]
        lines += [""] if section.notes else []
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in report.notes), ""])


def _grid(section: Section) -> Grid:
    bold, rows = best_cells(section), []
    for row, ((*names, title), cells) in enumerate(section.rows):
        texts = [
            [GridText(cell.text, (row, column) in bold)]
            for column, cell in enumerate(cells)
        ]
        rows.append(GridRow(names, [title], texts))
    heads = [(head,) for head in section.heads]
    widths = [24] * len(section.names)
    return Grid(section.names, widths, heads, rows, together=1)


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
