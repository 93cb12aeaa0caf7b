"""Ours beside theirs as text for a terminal, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import TypedDict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nserbench.benchmark.results.result import Status
from nserbench.leaderboard.published.comparison import (
    ComparedNumber,
    PublishedComparison,
)
from nserbench.leaderboard.published.data import NOT_SAID, NOTHING, PrintedTable
from nserbench.leaderboard.render.csv_json import csv_text, json_text
from nserbench.leaderboard.render.layout import TITLES, percent, plain
from nserbench.leaderboard.render.markdown import escaped, markdown_row, markdown_rule
from nserbench.leaderboard.render.terminal_width import split_to_width
from nserbench.leaderboard.tables.summary_notes import SHORT


class PublishedRecord(TypedDict):
    """A line of the CSV form; numbers but ``printed`` are fractions of 1."""

    reference: str
    table: str
    label: str
    upstream: str | None
    downstream: str | None
    corpus: str | None
    condition: str | None
    protocol: str | None
    metric: str
    printed: str | None
    status: Status | None
    value: float | None
    low: float | None
    high: float | None
    difference: float | None


def print_comparison(view: PublishedComparison, console: Console) -> None:
    """Print the tables in which we have a result, in parts as wide as the console."""
    for title, grid, heads in _tables(view):
        console.print(Text(plain(title)))
        for part in split_to_width(heads, partial(_part, grid), console):
            console.print(part, "")
    for line in _lines(view):
        console.print(Text(plain(line)))


Line = tuple[str, str, str]
"""Their row, ours, and the metric."""
Head = tuple[str, ...]
Grid = dict[Line, dict[Head, str]]


def _tables(view: PublishedComparison) -> Iterator[tuple[str, Grid, list[Head]]]:
    """Give title, cells and columns of each table in which we have a result."""
    for table, pairs in _met(view):
        grid: Grid = {}
        for one in pairs:
            row = str(one.row) if one.row else "reported only"
            line = (one.printed.label, row, TITLES[one.metric])
            grid.setdefault(line, {})[view.header(one)] = _cell(one)
        heads = list(dict.fromkeys(view.header(one) for one in pairs))
        caption = f": {table.caption}" if table.caption else ""
        yield f"{view.published.title}, {table.name}{caption}", grid, heads


def _met(
    view: PublishedComparison,
) -> Iterator[tuple[PrintedTable, list[ComparedNumber]]]:
    for _, found in groupby(view.pairs, key=lambda pair: id(pair.table)):
        pairs = list(found)
        if any(pair.entry for pair in pairs):
            yield pairs[0].table, pairs


def _part(grid: Grid, heads: Sequence[Head]) -> Table:
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    part.add_column("theirs", overflow="fold", max_width=24)
    part.add_column("ours", overflow="fold", max_width=32)
    part.add_column("")
    for head in heads:
        part.add_column(Text("\n".join(map(plain, head))), no_wrap=True)
    above: Sequence[str] = ()
    for (*names, title), cells in grid.items():
        named = ["", ""] if names == above else map(plain, names)
        shown = (cells.get(head, "") for head in heads)
        part.add_row(*map(Text, (*named, title, *shown)))
        above = names
    return part


def _cell(pair: ComparedNumber) -> str:
    theirs = pair.theirs or NOTHING
    if pair.score is None:
        status = SHORT[pair.entry.status] if pair.entry else NOTHING
        return f"{status} / {theirs}"
    apart = pair.difference
    change = "" if apart is None else f" ({100 * apart:+.1f})"
    return f"{percent(pair.score.value)} / {theirs}{change}"


def _lines(view: PublishedComparison) -> Iterator[str]:
    """Give the lines below the tables."""
    theirs = view.published
    met = [table.name for table, _ in _met(view)]
    unmet = [table.name for table in theirs.tables if table.name not in met]
    yield f"theirs: {theirs.citation}{theirs.url and f', {theirs.url}'}"
    if not met:
        yield "no result of ours has a counterpart there; csv and json list all of it"
        return
    yield "ours / theirs (ours minus theirs), percent"
    if unmet:
        yield f"no result of ours has a counterpart in {'; '.join(unmet)}"
    said = ", ".join(f"{key} {value}" for key, value in theirs.settings.items())
    yield f"their protocol: {said or NOT_SAID}"
    yield from _differing(view)
    yield from (f"theirs: {line}" for line in theirs.differences)
    yield from view.notes


def _differing(view: PublishedComparison) -> Iterator[str]:
    """Say once what differs, and in which columns unless it does in all."""
    places: dict[str, list[str]] = {}
    for column, lines in view.differences.items():
        for line in lines:
            places.setdefault(line, []).append(f"{column} ({column.protocol})")
    for line, columns in places.items():
        everywhere = len(columns) == len(view.differences)
        yield line if everywhere else f"{', '.join(columns)}: {line}"


def to_markdown(view: PublishedComparison) -> str:
    """Give the tables in which we have a result in GitHub's dialect."""
    text = []
    for title, grid, heads in _tables(view):
        text += [f"**{escaped(title)}**", ""]
        names = ("theirs", "ours", "metric", *map(" ".join, heads))
        text += [markdown_row(map(escaped, names)), markdown_rule(3, len(heads))]
        for line, cells in grid.items():
            shown = (*line, *(cells.get(one, "") for one in heads))
            text.append(markdown_row(map(escaped, shown)))
        text.append("")
    notes = (f"- {escaped(line)}" for line in _lines(view))
    return "\n".join([*text, *notes, ""])


def to_csv(view: PublishedComparison) -> str:
    """Give a line for each published number, whether or not we have a result."""
    return csv_text(list(PublishedRecord.__annotations__), list(_records(view)))


def to_json(view: PublishedComparison) -> str:
    """Give the rows of the CSV form as objects, with protocols and differences."""
    theirs = view.published
    content = {
        "unit": "fraction of 1; printed is percent",
        "title": theirs.title,
        "citation": theirs.citation,
        "url": theirs.url,
        "protocol": theirs.settings,
        "rows": list(_records(view)),
        "differences": [
            {"column": f"{column} ({column.protocol})", "lines": lines}
            for column, lines in view.differences.items()
        ],
        "notes": [*theirs.differences, *view.notes],
    }
    return json_text(content)


def _records(view: PublishedComparison) -> Iterator[PublishedRecord]:
    for one in view.pairs:
        yield PublishedRecord(
            reference=view.published.name,
            table=one.table.name,
            label=one.printed.label,
            upstream=one.row.upstream if one.row else None,
            downstream=one.row.downstream if one.row else None,
            corpus=one.place.corpus if one.place else None,
            condition=one.place.condition if one.place else None,
            protocol=one.column.protocol if one.column else None,
            metric=one.metric,
            printed=one.theirs,
            status=one.entry.status if one.entry else None,
            value=one.score.value if one.score else None,
            low=one.score.low if one.score else None,
            high=one.score.high if one.score else None,
            difference=one.difference,
        )
