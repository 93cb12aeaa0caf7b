"""Tables as CSV and JSON, with a record for each number; numbers are fractions of 1."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypeAlias

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.tables.summary import SummaryTable

Record: TypeAlias = dict[str, object]
"""A row of a CSV file, by the names of its columns."""


def to_csv(table: SummaryTable) -> str:
    """Return a CSV row for each row, column and metric; see `records`."""
    return csv_text(list(records(table)))


def to_json(table: SummaryTable) -> str:
    """Return the rows of the CSV file as JSON objects, with protocols and notes."""
    return json_text(
        {
            "unit": "fraction of 1",
            "rows": list(records(table)),
            "reference": asdict(table.reference) if table.reference else None,
            "ranks": _ranks(table.ranks) if table.ranks else None,
            "protocols": list(map(str, table.protocols)),
            "notes": table.notes,
        }
    )


def records(table: SummaryTable) -> Iterator[Record]:
    """Return a record for each row, column and metric that has a result.

    Numbers are fractions of 1, and None if the cell is not done. ``folds`` is ``mean``
    for the mean of folds, and ``pooled`` for all folds together. Differences are from
    the reference row of the table; None without one. ``seen_in_training`` says whether
    the upstream was trained on the corpus; see `Seen`.
    """
    ranks = table.ranks.mean if table.ranks else {}
    for (row, column), entry in table.entries.items():
        for metric in table.metrics:
            score = entry.scores.get(metric)
            difference = score.difference if score else None
            yield {
                **asdict(row),
                **asdict(column),
                "metric": metric,
                "status": entry.status,
                **interval_fields(score),
                "folds": ("pooled" if entry.pooled else "mean") if score else None,
                "chance": entry.chance.get(metric),
                "seeds": list(entry.seeds),
                "utterances": entry.utterances,
                "units": entry.units,
                "tied": score.tied if score else False,
                **interval_fields(difference, "difference"),
                "p": difference.p if difference else None,
                **interval_fields(ranks.get(row), "rank"),
                "flags": [flag.replace(" ", "-") for flag in entry.flags],
                "seen_in_training": entry.seen,
            }


def interval_fields(estimate: Estimate | None, name: str = "") -> Record:
    """Return a number and its bounds by their names in records; None if missing."""
    names = (name, f"{name}_low", f"{name}_high") if name else ("value", "low", "high")
    if estimate is None:
        return dict.fromkeys(names)
    return dict(zip(names, (estimate.value, estimate.low, estimate.high), strict=True))


def _ranks(ranks: Ranks) -> dict[str, object]:
    return {
        "protocol": ranks.protocol,
        "columns": len(ranks.columns),
        "corpora": ranks.corpora,
        "critical_difference": ranks.critical_difference,
        "mean": [
            {**asdict(row), "rank": rank.value, "low": rank.low, "high": rank.high}
            for row, rank in ranks.mean.items()
        ],
        "not_told_apart": [[asdict(row) for row in group] for group in ranks.groups],
    }


def csv_text(rows: Sequence[Record]) -> str:
    """Write rows, at least one, as CSV; the values of a list are joined by spaces."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _field(value) for key, value in row.items()})
    return text.getvalue()


def _field(value: object) -> object:
    """Return what is written; a text that a spreadsheet would run begins with ``'``."""
    if isinstance(value, list):
        numbers = not any(isinstance(one, str) for one in value)
        value = " ".join(map(str, value))
        if numbers:
            return value
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def json_text(content: Mapping[str, object]) -> str:
    """Write a table as JSON.

    Raises:
        ValueError: if a number is infinite or NaN, which JSON does not allow.
    """
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
