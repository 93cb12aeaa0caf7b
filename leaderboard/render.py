"""A summary table as text for a terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from nserbench.benchmark.results import Status
from nserbench.leaderboard.cells import Column, Row
from nserbench.leaderboard.notes import SHORT
from nserbench.leaderboard.table import Score, SummaryTable

TITLES = {
    "uar": "UAR",
    "f1_macro": "F1",
    "f1_weighted": "weighted F1",
    "accuracy": "accuracy",
}
NO_INTERVAL = "-"
"""What stands in the brackets where there is one unit of independence."""


class Record(TypedDict):
    """A line of the CSV form; numbers are fractions of 1, None where not done."""

    upstream: str
    head: str
    corpus: str
    condition: str
    protocol: str
    metric: str
    status: Status
    value: float | None
    low: float | None
    high: float | None
    seeds: list[int]
    utterances: int


def print_table(table: SummaryTable, console: Console) -> None:
    """Print the table, in as many parts as the width of the console asks for."""
    for columns in _parts(table, console):
        console.print(_part(table, columns), "")
    for line in _lines(table):
        console.print(Text(line))


def _parts(table: SummaryTable, console: Console) -> Iterator[list[Column]]:
    """Share out the columns, each part with as many as fit."""
    unlimited = console.options.update(max_width=10_000)
    part: list[Column] = []
    for column in table.columns:
        wider = _part(table, [*part, column])
        needed = Measurement.get(console, unlimited, wider).maximum
        if part and needed > console.width:
            yield part
            part = []
        part.append(column)
    yield part


def _part(table: SummaryTable, columns: Sequence[Column]) -> Table:
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    part.add_column("upstream", overflow="fold", max_width=24)
    part.add_column("head", overflow="fold", max_width=16)
    part.add_column("")
    for column in columns:
        head = "\n".join(_plain(line) for line in table.head(column))
        part.add_column(Text(head), no_wrap=True)
    for row in table.rows:
        part.add_row(
            Text(_plain(row.upstream)),
            Text(_plain(row.head)),
            "\n".join(TITLES[metric] for metric in table.metrics),
            *(_cell(table, row, column) for column in columns),
        )
    return part


def _cell(table: SummaryTable, row: Row, column: Column) -> Text:
    lines = (
        Text(text, style="bold" if best else "")
        for text, best in _shown(table, row, column)
    )
    return Text("\n").join(lines)


def _shown(table: SummaryTable, row: Row, column: Column) -> Iterator[tuple[str, bool]]:
    """Give the text for each metric, and whether nothing in the column is better."""
    entry = table.entries.get((row, column))
    for metric in table.metrics:
        if entry is None:
            yield "", False
        elif not entry.scores:
            yield SHORT[entry.status], False
        else:
            score = entry.scores[metric]
            best = table.best(column, metric)
            # Equal to a reader means equal as shown.
            is_best = best is not None and _percent(score.value) == _percent(best)
            yield _score(score), is_best


def _score(score: Score) -> str:
    if score.low is None or score.high is None:
        return f"{_percent(score.value)} [{NO_INTERVAL}]"
    return f"{_percent(score.value)} [{_percent(score.low)}, {_percent(score.high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _lines(table: SummaryTable) -> Iterator[str]:
    """Give the lines below the table."""
    titles = [TITLES[metric] for metric in table.metrics]
    named = " and ".join([", ".join(titles[:-1]), titles[-1]] if titles[1:] else titles)
    units = "speakers"
    if any(re.search("; unit (?!speaker)", line) for line in table.protocols):
        units = "speakers, or the unit that a protocol names"
    yield f"{named}: mean of folds, percent; in brackets 95 %, bootstrap over {units}"
    scores = [one for entry in table.entries.values() for one in entry.scores.values()]
    if any(score.low is None for score in scores):
        yield f"[{NO_INTERVAL}]: one speaker, so no interval"
    for protocol in table.protocols:
        yield f"protocol {_plain(protocol)}"
    for note in table.notes:
        yield _plain(note)


def _plain(text: str) -> str:
    """Make one line of a text, and control codes visible."""
    line = " ".join(text.split())
    return "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line
    )


def to_markdown(table: SummaryTable) -> str:
    """Give a table in GitHub's dialect, a line for each row and metric."""
    heads = (" ".join(table.head(column)) for column in table.columns)
    lines = [
        _markdown_row(map(_escaped, ("upstream", "head", "metric", *heads))),
        _markdown_row(["---"] * 3 + ["---:"] * len(table.columns)),
    ]
    for row in table.rows:
        cells = [list(_shown(table, row, column)) for column in table.columns]
        names = [_escaped(row.upstream), _escaped(row.head)]
        for place, metric in enumerate(table.metrics):
            shown = (
                f"**{text}**" if best else text
                for text, best in (cell[place] for cell in cells)
            )
            lines.append(_markdown_row([*names, TITLES[metric], *shown]))
    notes = (f"- {_escaped(line)}" for line in _lines(table))
    return "\n".join([*lines, "", *notes, ""])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Keep Markdown and HTML from reading anything into a name."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", _plain(text))
    return re.sub("[&<>]", lambda found: entities[found[0]], marked)


def to_csv(table: SummaryTable) -> str:
    """Give a line for each row, column and metric; see `Record`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Record.__annotations__), lineterminator="\n")
    writer.writeheader()
    for record in _records(table):
        writer.writerow({**record, "seeds": " ".join(map(str, record["seeds"]))})
    return text.getvalue()


def to_json(table: SummaryTable) -> str:
    """Give the rows of the CSV form as objects, with the protocols and notes."""
    content = {
        "unit": "fraction of 1",
        "rows": list(_records(table)),
        "protocols": table.protocols,
        "notes": table.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _records(table: SummaryTable) -> Iterator[Record]:
    for (row, column), entry in table.entries.items():
        for metric in table.metrics:
            score = entry.scores.get(metric)
            yield Record(
                upstream=row.upstream,
                head=row.head,
                corpus=column.corpus,
                condition=column.condition,
                protocol=column.protocol,
                metric=metric,
                status=entry.status,
                value=score.value if score else None,
                low=score.low if score else None,
                high=score.high if score else None,
                seeds=list(entry.seeds),
                utterances=entry.utterances,
            )
