"""The comparison with published numbers as text, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.text import Text

from nserbench.leaderboard.published.comparison import (
    ComparedNumber,
    PublishedComparison,
)
from nserbench.leaderboard.published.data import NOT_SAID, NOTHING, PrintedTable
from nserbench.leaderboard.render.csv_json import (
    Record,
    csv_text,
    interval_fields,
    json_text,
)
from nserbench.leaderboard.render.grid import METRIC, Grid, GridRow, GridText, escaped
from nserbench.leaderboard.render.layout import TITLES, plain
from nserbench.leaderboard.render.numbers import percent, signed_percent
from nserbench.leaderboard.tables.summary_notes import SHORT


def print_comparison(view: PublishedComparison, console: Console) -> None:
    """Print the tables in which we have a result, split to the width of the console."""
    for title, grid in _tables(view):
        console.print(Text(plain(title)))
        grid.print(console)
    for line in _lines(view):
        console.print(Text(plain(line)))


def _tables(view: PublishedComparison) -> Iterator[tuple[str, Grid]]:
    """Return title and cells of each table in which we have a result."""
    for table, pairs in _with_results(view):
        cells: dict[tuple[str, str, str], dict[tuple[str, ...], str]] = {}
        for pair in pairs:
            row = str(pair.row) if pair.row else "reported only"
            line = (pair.printed_row.label, row, TITLES[pair.metric])
            cells.setdefault(line, {})[view.header(pair)] = _cell(pair)
        heads = list(dict.fromkeys(view.header(pair) for pair in pairs))
        rows = [
            GridRow(names, [title], [[GridText(of.get(head, ""))] for head in heads])
            for (*names, title), of in cells.items()
        ]
        caption = f": {table.caption}" if table.caption else ""
        title = f"{view.published.title}, {table.name}{caption}"
        headings = "theirs", "ours", METRIC
        yield title, Grid(headings, (24, 32, None), heads, rows, together=2)


def _with_results(
    view: PublishedComparison,
) -> Iterator[tuple[PrintedTable, list[ComparedNumber]]]:
    """Return the published tables in which we have a result, with their pairs."""
    for _, group in groupby(view.pairs, key=lambda pair: id(pair.table)):
        pairs = list(group)
        if any(pair.entry for pair in pairs):
            yield pairs[0].table, pairs


def _cell(pair: ComparedNumber) -> str:
    theirs = pair.theirs or NOTHING
    if pair.score is None:
        status = SHORT[pair.entry.status] if pair.entry else NOTHING
        return f"{status} / {theirs}"
    difference = pair.difference
    change = "" if difference is None else f" ({signed_percent(difference)})"
    return f"{percent(pair.score.value)} / {theirs}{change}"


def _lines(view: PublishedComparison) -> Iterator[str]:
    theirs = view.published
    shown = [table.name for table, _ in _with_results(view)]
    missing = [table.name for table in theirs.tables if table.name not in shown]
    yield f"theirs: {theirs.citation}{theirs.url and f', {theirs.url}'}"
    if not shown:
        yield (
            "none of our results can be compared with it; the CSV and JSON formats "
            "list all published numbers"
        )
        return
    yield "each cell: ours / theirs (ours minus theirs), in percent"
    if missing:
        yield f"not shown, since we have no results for them: {'; '.join(missing)}"
    settings = ", ".join(f"{key} {value}" for key, value in theirs.settings.items())
    yield f"their protocol: {settings or NOT_SAID}"
    yield from _differing(view)
    yield from (f"theirs: {line}" for line in theirs.differences)
    yield from view.notes


def _differing(view: PublishedComparison) -> Iterator[str]:
    """Write each difference once, with its columns unless it is in all of them."""
    by_line: dict[str, list[str]] = {}
    for column, lines in view.differences.items():
        for line in lines:
            by_line.setdefault(line, []).append(f"{column} ({column.protocol})")
    for line, columns in by_line.items():
        everywhere = len(columns) == len(view.differences)
        yield line if everywhere else f"{', '.join(columns)}: {line}"


def to_markdown(view: PublishedComparison) -> str:
    """Write the tables in which we have a result in GitHub Markdown."""
    text = []
    for title, grid in _tables(view):
        text += [f"**{escaped(title)}**", "", *grid.markdown(), ""]
    notes = (f"- {escaped(line)}" for line in _lines(view))
    return "\n".join([*text, *notes, ""])


def to_csv(view: PublishedComparison) -> str:
    """Return a CSV row for each published number, even without a result of ours.

    All numbers except ``printed`` are fractions of 1.
    """
    return csv_text(list(_records(view)))


def to_json(view: PublishedComparison) -> str:
    """Return the rows of the CSV file as JSON objects, with protocol and notes."""
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


def _records(view: PublishedComparison) -> Iterator[Record]:
    for pair in view.pairs:
        column = pair.published_column
        yield {
            "reference": view.published.name,
            "table": pair.table.name,
            "label": pair.printed_row.label,
            "upstream": pair.row.upstream if pair.row else None,
            "downstream": pair.row.downstream if pair.row else None,
            "corpus": column.corpus if column else None,
            "condition": column.condition if column else None,
            "protocol": pair.column.protocol if pair.column else None,
            "metric": pair.metric,
            "printed": pair.theirs,
            "status": pair.entry.status if pair.entry else None,
            **interval_fields(pair.score),
            "difference": pair.difference,
        }
