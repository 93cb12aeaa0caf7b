"""Our results beside published numbers, and how their protocols differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, product

from nserbench.downstreams.base import Recipe
from nserbench.errors import NserbenchError
from nserbench.leaderboard.published.data import (
    NOT_SAID,
    PrintedColumn,
    PrintedRow,
    PrintedTable,
    Published,
    PublishedColumn,
)
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

_NONE: Sequence[None] = (None,)

_RECIPE = {field.name for field in fields(Recipe)}


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """One published number, and ours that it is comparable with.

    Attributes:
        table: Where it is printed.
        printed: Its row there.
        header: Its column there.
        metric: A name in `METRICS`.
        theirs: Percent, as printed; None where nothing is.
        row: Ours, or what ours would be; None where it is reported only.
        column: Ours; None where we have none.
        entry: Ours; None where we have none.
    """

    table: PrintedTable
    printed: PrintedRow
    header: PrintedColumn
    metric: str
    theirs: str | None
    row: Row | None
    column: Column | None
    entry: SummaryEntry | None

    @property
    def place(self) -> PublishedColumn | None:
        """Give where ours is, or would be; None where it is reported only."""
        if self.column is not None:
            return PublishedColumn(self.column.corpus, self.column.condition)
        return next(iter(self.header.ours), None)

    @property
    def score(self) -> Score | None:
        """Give ours; None unless it is done."""
        return self.entry.scores.get(self.metric) if self.entry else None

    @property
    def difference(self) -> float | None:
        """Give ours minus theirs, as a fraction of 1; None unless there are both."""
        if self.score is None or self.theirs is None:
            return None
        return self.score.value - float(self.theirs) / 100


@dataclass(frozen=True, slots=True)
class PublishedComparison:
    """Ours beside theirs. No number of theirs enters a ranking.

    Attributes:
        ours: Our table.
        published: Theirs.
        metrics: Those of our table that are printed there.
        pairs: By table, row and column as printed.
        differences: Between the protocols, by our column.
        notes: On rows of theirs that are shown.
    """

    ours: SummaryTable
    published: Published
    metrics: Sequence[str]
    pairs: Sequence[ComparedNumber]
    differences: Mapping[Column, Sequence[str]]
    notes: Sequence[str]

    def header(self, pair: ComparedNumber) -> tuple[str, ...]:
        """Give the lines above a pair: their column's, then ours, as in our table."""
        if pair.column is not None:
            return (pair.header.label, *self.ours.header(pair.column))
        return (pair.header.label, *(pair.place or ()))


def compare_with_published(
    table: SummaryTable, published: Published
) -> PublishedComparison:
    """Put our results beside published numbers.

    Ours and theirs meet where a spelling of theirs is a name of ours. A number of
    theirs that we have no result for stands alone.

    Raises:
        NserbenchError: if the table shows no metric that is printed there.
    """
    metrics = [name for name in table.metrics if name in published.metrics]
    if not metrics:
        raise NserbenchError(
            f"{published.title} prints {', '.join(published.metrics)}, "
            f"and the table shows {', '.join(table.metrics)}\n"
            f"  add --metric {','.join(published.metrics)}"
        )
    pairs = [one for each in published.tables for one in _pairs(table, each, metrics)]
    return PublishedComparison(
        ours=table,
        published=published,
        metrics=metrics,
        pairs=pairs,
        differences=_differences(table, published, pairs),
        notes=_notes(pairs),
    )


def _notes(pairs: Sequence[ComparedNumber]) -> list[str]:
    """Give the notes on rows of the tables in which we have a result, each once."""
    met = {one.table.name for one in pairs if one.entry}
    rows: dict[str, dict[str, None]] = {}
    for one in pairs:
        if one.table.name in met and one.printed.note:
            rows.setdefault(one.printed.note, {})[one.printed.label] = None
    return [f"{note} ({', '.join(labels)})" for note, labels in rows.items()]


def _pairs(
    table: SummaryTable, printed: PrintedTable, metrics: Sequence[str]
) -> Iterator[ComparedNumber]:
    """Pair each number of a published table; pairs of nothing are left out."""
    columns = [_ours(table, head) for head in printed.columns]
    matched = list(chain.from_iterable(columns))
    for row in printed.rows:
        heads = list(zip(printed.columns, columns, row.values, strict=True))
        for mine, (head, found, values) in product(_mine(table, row, matched), heads):
            cell = dict(zip(printed.metrics, values, strict=True))
            for column, metric in product(found or _NONE, metrics):
                entry = table.entries.get((mine, column)) if mine and column else None
                theirs = cell.get(metric)
                if theirs or (entry and metric in cell):
                    yield ComparedNumber(
                        printed, row, head, metric, theirs, mine, column, entry
                    )


def _ours(table: SummaryTable, printed: PrintedColumn) -> list[Column]:
    """Give our columns that a printed one is comparable with, one a protocol."""
    return [
        column
        for column in table.columns
        if PublishedColumn(column.corpus, column.condition) in printed.ours
    ]


def _mine(
    table: SummaryTable, printed: PrintedRow, columns: Sequence[Column]
) -> Sequence[Row | None]:
    """Give our rows with a result beside a printed one, or what it would be."""
    found = [
        row
        for row in table.rows
        if printed.meets(row) and any((row, at) in table.entries for at in columns)
    ]
    return found or printed.ours[:1] or _NONE


def _differences(
    table: SummaryTable, published: Published, pairs: Sequence[ComparedNumber]
) -> dict[Column, list[str]]:
    """Say what differs in each column in which ours and theirs meet."""
    met: dict[Column, list[ComparedNumber]] = defaultdict(list)
    for one in pairs:
        if one.entry and one.column:
            met[one.column].append(one)
    found = {}
    for column, ones in met.items():
        rows = {str(one.row) for one in ones}
        theirs = dict(published.settings)
        for one in ones:
            theirs.update(one.header.settings)
        found[column] = list(_differing(_ways(table, column, rows), theirs))
    return found


Way = tuple[str, Mapping[str, str]]
"""Rows that were trained alike, empty for all of them, and the settings."""


def _ways(table: SummaryTable, column: Column, rows: Collection[str]) -> list[Way]:
    """Read the protocol lines of some rows of a column.

    A line is ``NAME on CORPORA (ROWS): SETTINGS``, its rows only where several lines
    share a name; see `protocol_lines`.
    """
    found: list[Way] = []
    for line in table.protocols:
        name, _, rest = line.partition(" on ")
        who, _, how = rest.partition(": ")
        corpora, _, of = who.partition(" (")
        named = of.removesuffix(")").split(", ") if of else []
        mine = [row for row in named if row in rows]
        here = name == column.protocol and column.corpus in corpora.split(", ")
        if here and (mine or not named):
            found.append((", ".join(mine), dict(_settings(how))))
    return found


def _settings(how: str) -> Iterator[tuple[str, str]]:
    for piece in how.split("; "):
        parts = piece.split(", ") if piece.partition(" ")[0] in _RECIPE else [piece]
        for part in parts:
            key, _, value = part.partition(" ")
            yield key, value


def _differing(ways: Sequence[Way], theirs: Mapping[str, str]) -> Iterator[str]:
    """Say each setting that differs, or that one side does not say."""
    for key, said in theirs.items():
        own: dict[str, list[str]] = {}
        for rows, ours in ways:
            own.setdefault(ours.get(key, NOT_SAID), []).append(rows)
        for value, named in own.items():
            of = f" ({', '.join(named)})" if len(own) > 1 else ""
            if value == NOT_SAID != said:
                yield f"{key}: theirs {said}"
            elif not _same(value, said):
                yield f"{key}: ours {value}{of}, theirs {said}"


def _same(ours: str, theirs: str) -> bool:
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs
