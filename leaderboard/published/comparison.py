"""Comparison of our results with published numbers, and of the protocols."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product

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
from nserbench.leaderboard.reading.protocol_use import listed
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

_NONE: Sequence[None] = (None,)


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """A published number, and our result that it can be compared with.

    Attributes:
        theirs: The number in percent, as printed; None where nothing is printed.
        row: Our row, or the row that a result would have; None if we cannot run it.
        column: Our column; None if we have no result.
        entry: Our result; None if we have none.
    """

    table: PrintedTable
    printed_row: PrintedRow
    printed_column: PrintedColumn
    metric: str
    theirs: str | None
    row: Row | None
    column: Column | None
    entry: SummaryEntry | None

    @property
    def published_column(self) -> PublishedColumn | None:
        """The corpus and condition of our column; None if we cannot run it."""
        if self.column is not None:
            return PublishedColumn(self.column.corpus, self.column.condition)
        return next(iter(self.printed_column.ours), None)

    @property
    def score(self) -> Score | None:
        """Our score; None unless our result is done."""
        return self.entry.scores.get(self.metric) if self.entry else None

    @property
    def difference(self) -> float | None:
        """Our score minus theirs, a fraction of 1; None unless both exist."""
        if self.score is None or self.theirs is None:
            return None
        return self.score.value - float(self.theirs) / 100


@dataclass(frozen=True, slots=True)
class PublishedComparison:
    """Our results and published numbers. Published numbers are never ranked.

    Attributes:
        metrics: The metrics of our table that the publication has as well.
        pairs: Published numbers with ours, in the order of the publication.
        differences: Differences between the protocols, by our column.
    """

    ours: SummaryTable
    published: Published
    metrics: Sequence[str]
    pairs: Sequence[ComparedNumber]
    differences: Mapping[Column, Sequence[str]]
    notes: Sequence[str]

    def header(self, pair: ComparedNumber) -> tuple[str, ...]:
        """Return the header lines of a pair: the published header, then ours."""
        label = pair.printed_column.label
        if pair.column is not None:
            return (label, *self.ours.header(pair.column))
        return (label, *(pair.published_column or ()))


def compare_with_published(
    table: SummaryTable, published: Published
) -> PublishedComparison:
    """Pair our results with published numbers.

    A published row or column lists the names of ours that it is compared with. A
    published number without a result of ours is kept alone.

    Raises:
        NserbenchError: if the table and the publication have no metric in common.
    """
    metrics = [name for name in table.metrics if name in published.metrics]
    if not metrics:
        raise NserbenchError(
            f"{published.title} has {', '.join(published.metrics)}, "
            f"but the table shows {', '.join(table.metrics)}\n"
            f"  add --metric {','.join(published.metrics)}"
        )
    pairs = [
        pair for printed in published.tables for pair in _pairs(table, printed, metrics)
    ]
    return PublishedComparison(
        ours=table,
        published=published,
        metrics=metrics,
        pairs=pairs,
        differences=_differences(table, published, pairs),
        notes=_notes(pairs),
    )


def _notes(pairs: Sequence[ComparedNumber]) -> list[str]:
    """Return the notes on rows of the tables in which we have a result, each once."""
    shown = {pair.table.name for pair in pairs if pair.entry}
    rows: dict[str, dict[str, None]] = {}
    for pair in pairs:
        row = pair.printed_row
        if pair.table.name in shown and row.note:
            rows.setdefault(row.note, {})[row.label] = None
    return [f"{note} ({', '.join(labels)})" for note, labels in rows.items()]


def _pairs(
    table: SummaryTable, printed: PrintedTable, metrics: Sequence[str]
) -> Iterator[ComparedNumber]:
    """Pair each number of a published table; a pair with neither number is skipped."""
    ours = [_our_columns(table, column) for column in printed.columns]
    every = list(chain.from_iterable(ours))
    for printed_row in printed.rows:
        cells = list(zip(printed.columns, ours, printed_row.values, strict=True))
        rows = _our_rows(table, printed_row, every)
        for row, (printed_column, columns, values) in product(rows, cells):
            numbers = dict(zip(printed.metrics, values, strict=True))
            for column, metric in product(columns or _NONE, metrics):
                entry = table.entries.get((row, column)) if row and column else None
                theirs = numbers.get(metric)
                if theirs or (entry and metric in numbers):
                    yield ComparedNumber(
                        table=printed,
                        printed_row=printed_row,
                        printed_column=printed_column,
                        metric=metric,
                        theirs=theirs,
                        row=row,
                        column=column,
                        entry=entry,
                    )


def _our_columns(table: SummaryTable, printed: PrintedColumn) -> list[Column]:
    """Return our columns that a published one is compared with, one per protocol."""
    return [
        column
        for column in table.columns
        if PublishedColumn(column.corpus, column.condition) in printed.ours
    ]


def _our_rows(
    table: SummaryTable, printed: PrintedRow, columns: Sequence[Column]
) -> Sequence[Row | None]:
    """Return our rows with a result for a published row, or the row it would have."""
    rows = [
        row
        for row in table.rows
        if printed.matches(row) and any((row, at) in table.entries for at in columns)
    ]
    return rows or printed.ours[:1] or _NONE


def _differences(
    table: SummaryTable, published: Published, pairs: Sequence[ComparedNumber]
) -> dict[Column, list[str]]:
    """Say how the protocols differ in each column with ours and published numbers."""
    by_column: dict[Column, list[ComparedNumber]] = defaultdict(list)
    for pair in pairs:
        if pair.entry and pair.column:
            by_column[pair.column].append(pair)
    differences = {}
    for column, numbers in by_column.items():
        rows = {number.row for number in numbers}
        theirs = dict(published.settings)
        for number in numbers:
            theirs.update(number.printed_column.settings)
        ours = [
            (listed(str(row) for row in shown), use.settings.by_name)
            for use in table.protocols
            if (shown := [row for row, at in use.cells if at == column and row in rows])
        ]
        differences[column] = list(_differing(ours, theirs))
    return differences


RowSettings = tuple[str, Mapping[str, str]]
"""Rows with the same settings, empty for all rows, and these settings."""


def _differing(ours: Sequence[RowSettings], theirs: Mapping[str, str]) -> Iterator[str]:
    """Write each setting that differs, or that only one side states."""
    for key, their_value in theirs.items():
        values: dict[str, list[str]] = {}
        for rows, settings in ours:
            values.setdefault(settings.get(key, NOT_SAID), []).append(rows)
        for value, rows_with in values.items():
            where = f" ({', '.join(rows_with)})" if len(values) > 1 else ""
            if value == NOT_SAID != their_value:
                yield f"{key}: theirs {their_value}"
            elif not _same(value, their_value):
                yield f"{key}: ours {value}{where}, theirs {their_value}"


def _same(ours: str, theirs: str) -> bool:
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs
