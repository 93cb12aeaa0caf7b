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
    """Print each table, in as many parts as the width of the console asks for."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.description), "")
    for section in report.sections:
        console.print(Text(plain(section.title), style="bold"))
        places = range(len(section.heads))
        for part in split_to_width(places, partial(_part, section), console):
            console.print(part, "")
        for line in section.notes:
            console.print(Text(plain(line)))
        console.print()
    for line in report.notes:
        console.print(Text(plain(line)))


def _part(section: Section, places: Sequence[int]) -> Table:
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in section.names:
        part.add_column(name, overflow="fold", max_width=24)
    for place in places:
        part.add_column(Text(plain(section.heads[place])), no_wrap=True)
    bold = best_places(section)
    above: Sequence[str] = ()
    for at, (names, values) in enumerate(section.rows):
        texts = [
            Text(values[place].text, style="bold" if (at, place) in bold else "")
            for place in places
        ]
        part.add_row(*map(Text, _new(names, above)), *texts)
        above = names
    return part


def _new(names: Sequence[str], above: Sequence[str]) -> Sequence[str]:
    """Leave out the names that stand in the row above already."""
    same = 0
    while same < len(names) - 1 and names[: same + 1] == above[: same + 1]:
        same += 1
    return ["" if place < same else name for place, name in enumerate(names)]


def to_markdown(report: PaperReport) -> str:
    """Give the tables in GitHub's dialect, each under its own heading."""
    lines = [f"# {escaped(report.title)}", "", escaped(report.description), ""]
    for section in report.sections:
        lines += [f"## {escaped(section.title)}", "", *_markdown(section), ""]
        lines += [f"- {escaped(line)}" for line in section.notes]
        lines += [""] if section.notes else []
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in report.notes), ""])


def _markdown(section: Section) -> Iterator[str]:
    yield markdown_row([*map(escaped, section.names), *map(escaped, section.heads)])
    yield markdown_rule(len(section.names), len(section.heads))
    bold = best_places(section)
    for at, (names, values) in enumerate(section.rows):
        cells = [
            f"**{escaped(one.text)}**" if (at, place) in bold else escaped(one.text)
            for place, one in enumerate(values)
        ]
        yield markdown_row([*map(escaped, names), *cells])


def best_places(section: Section) -> set[tuple[int, int]]:
    """Give the row and column of the best values of each column.

    Where the last name of a row is a metric, rows are compared within each metric.
    """
    found: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for at, (names, values) in enumerate(section.rows):
        for place, one in enumerate(values):
            if one.value is not None:
                group = names[-1] if section.by_metric else ""
                # Equal to a reader means equal as shown.
                shown = round(one.value, 3)
                found.setdefault((group, place), []).append((shown, at))
    return {
        (at, place)
        for (_, place), values in found.items()
        if len(values) > 1
        for shown, at in values
        if shown == max(values)[0]
    }
