"""Tables as CSV and JSON, with a record for each number; numbers are fractions of 1."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from nserbench.benchmark.results.result import Status
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.tables.summary import SummaryTable


class SummaryRecord(TypedDict):
    """A row of the CSV file; numbers are fractions of 1, None if the cell is not done.

    ``folds`` is ``mean`` for the mean of folds, and ``pooled`` for all folds together.
    Differences are from the reference row of the table; None without one.
    """

    upstream: str
    downstream: str
    corpus: str
    condition: str
    protocol: str
    metric: str
    status: Status
    value: float | None
    low: float | None
    high: float | None
    folds: str | None
    chance: float | None
    seeds: list[int]
    utterances: int
    units: int
    tied: bool
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float | None
    rank: float | None
    rank_low: float | None
    rank_high: float | None
    flags: list[str]


def to_csv(table: SummaryTable) -> str:
    """Return a CSV row for each row, column and metric; see `SummaryRecord`."""
    return csv_text(list(SummaryRecord.__annotations__), list(records(table)))


def to_json(table: SummaryTable) -> str:
    """Return the rows of the CSV file as JSON objects, with protocols and notes."""
    return json_text(
        {
            "unit": "fraction of 1",
            "rows": list(records(table)),
            "reference": names_of(table.reference) if table.reference else None,
            "ranks": _ranks(table.ranks) if table.ranks else None,
            "protocols": list(map(str, table.protocols)),
            "notes": table.notes,
        }
    )


def records(table: SummaryTable) -> Iterator[SummaryRecord]:
    """Return a record for each row, column and metric that has a result."""
    ranks = table.ranks.mean if table.ranks else {}
    for (row, column), entry in table.entries.items():
        rank = ranks.get(row)
        for metric in table.metrics:
            score = entry.scores.get(metric)
            difference = score.difference if score else None
            yield SummaryRecord(
                upstream=row.upstream,
                downstream=row.downstream,
                corpus=column.corpus,
                condition=column.condition,
                protocol=column.protocol,
                metric=metric,
                status=entry.status,
                value=score.value if score else None,
                low=score.low if score else None,
                high=score.high if score else None,
                folds=("pooled" if entry.pooled else "mean") if score else None,
                chance=entry.chance.get(metric),
                seeds=list(entry.seeds),
                utterances=entry.utterances,
                units=entry.units,
                tied=score.tied if score else False,
                difference=difference.value if difference else None,
                difference_low=difference.low if difference else None,
                difference_high=difference.high if difference else None,
                p=difference.p if difference else None,
                rank=rank.value if rank else None,
                rank_low=rank.low if rank else None,
                rank_high=rank.high if rank else None,
                flags=[flag.replace(" ", "-") for flag in entry.flags],
            )


def names_of(row: Row) -> dict[str, str]:
    """Return upstream and head of a row, by their names in records."""
    return {"upstream": row.upstream, "downstream": row.downstream}


def _ranks(ranks: Ranks) -> dict[str, object]:
    return {
        "protocol": ranks.protocol,
        "columns": ranks.columns,
        "corpora": ranks.corpora,
        "critical_difference": ranks.critical_difference,
        "mean": [
            {**names_of(row), "rank": rank.value, "low": rank.low, "high": rank.high}
            for row, rank in ranks.mean.items()
        ],
        "not_told_apart": [[names_of(row) for row in group] for group in ranks.groups],
    }


def csv_text(fields: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as CSV; the values of a list are joined by spaces.

    Args:
        fields: Names of the columns.
        rows: The rows, by names of columns.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _field(value) for key, value in row.items()})
    return text.getvalue()


def _field(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def json_text(content: Mapping[str, object]) -> str:
    """Write a table as JSON.

    Raises:
        ValueError: if a number is infinite or NaN, which JSON does not allow.
    """
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
