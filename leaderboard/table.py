"""The summary table: upstreams and heads by corpora and conditions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nserbench.benchmark.metrics import METRICS, interval, mean_of_folds, resample
from nserbench.benchmark.results import Status
from nserbench.errors import UnknownName
from nserbench.leaderboard.cells import (
    Column,
    Counts,
    Row,
    Tally,
    comparable,
    condition_order,
    newest,
    read_tallies,
)
from nserbench.leaderboard.notes import (
    denominator_lines,
    protocol_lines,
    reason_lines,
    seed_lines,
)

FLATTERING = {
    "oracle": "chosen on test",
    "superb": "chosen on known speakers",
}
"""Variants of a protocol whose choice flatters, and what is said of it."""


@dataclass(frozen=True, slots=True)
class Score:
    """One metric, as fractions of 1.

    Attributes:
        value: The mean over seeds of the mean over folds.
        low: Where its 95 % interval begins, from draws of speakers that all seeds
            share. None with one speaker.
        high: Where it ends.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands where a row and a column meet.

    Attributes:
        status: ``done`` if at least one seed is.
        scores: By metric; empty unless it is done.
        seeds: Those that are averaged.
        utterances: Tested with each seed.
    """

    status: Status
    scores: Mapping[str, Score]
    seeds: Sequence[int]
    utterances: int


@dataclass(frozen=True, slots=True)
class SummaryTable:
    """A leaderboard, ready to be shown.

    Attributes:
        rows: In natural order of their names.
        columns: By corpus; clean first, then noises by name, from high to low SNR.
        metrics: By their names in `METRICS`.
        entries: Where there is a result.
        protocols: A line for each way to train and test that took part.
        notes: What was averaged, chosen or left out, and why cells are empty.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    metrics: Sequence[str]
    entries: Mapping[tuple[Row, Column], Entry]
    protocols: Sequence[str]
    notes: Sequence[str]

    def head(self, column: Column) -> tuple[str, ...]:
        """Give the lines above a column; its protocol where that tells two apart.

        A choice that flatters is named above every number that it made.
        """
        place = (column.corpus, column.condition)
        split = [one for one in self.columns if (one.corpus, one.condition) == place]
        name = (column.protocol,) if len(split) > 1 else ()
        variants = column.protocol.partition(" ")[0].split("+")
        marks = [mark for variant, mark in FLATTERING.items() if variant in variants]
        return (*place, *name, *marks)

    def best(self, column: Column, metric: str) -> float | None:
        """Give the best value in a column; None if nothing there is done."""
        found = (self.entries.get((row, column)) for row in self.rows)
        values = [one.scores[metric].value for one in found if one and one.scores]
        return max(values, default=None)


def read_metrics(text: str) -> tuple[str, ...]:
    """Read names of metrics, separated by commas; ``f1`` is the macro F1.

    Raises:
        UnknownName: if there is none of that name.
    """
    known = {**{name: name for name in METRICS}, "f1": "f1_macro"}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise UnknownName("metric", name, known)
    return tuple(dict.fromkeys(known[name] for name in names))


def summary_table(root: Path, metrics: Sequence[str]) -> SummaryTable:
    """Make the table of a folder of results.

    Args:
        root: The folder.
        metrics: Names in `METRICS`.

    Raises:
        BadResult: if there are no results, or one cannot be read.
    """
    tallies, older = newest(read_tallies(root))
    places: dict[tuple[Row, Column], list[Tally]] = defaultdict(list)
    for tally in sorted(tallies, key=_order):
        places[tally.row, tally.column].append(tally)
    return SummaryTable(
        rows=sorted({row for row, _ in places}, key=_row_order),
        columns=sorted({column for _, column in places}, key=_column_order),
        metrics=metrics,
        entries={place: _entry(found, metrics) for place, found in places.items()},
        protocols=protocol_lines(places),
        notes=[
            *seed_lines(places),
            *older,
            *denominator_lines(places),
            *reason_lines(places),
        ],
    )


def _order(tally: Tally) -> tuple[object, ...]:
    return _row_order(tally.row), _column_order(tally.column), tally.seed


def _row_order(row: Row) -> tuple[object, ...]:
    return _natural(row.upstream), _natural(row.head)


def _column_order(column: Column) -> tuple[object, ...]:
    condition = condition_order(column.condition)
    return _natural(column.corpus), condition, _natural(column.protocol)


def _natural(name: str) -> list[str | int]:
    """Sort numbers in names as numbers: layer 9 before layer 10."""
    # Pieces at odd places are the digits, so that like is compared with like.
    pieces = re.split(r"([0-9]+)", name)
    return [int(one) if place % 2 else one for place, one in enumerate(pieces)]


def _entry(tallies: Sequence[Tally], metrics: Sequence[str]) -> Entry:
    counts = comparable(tallies)
    if not counts:
        failed = any(tally.status == "failed" for tally in tallies)
        return Entry("failed" if failed else "not applicable", {}, (), 0)
    scores = _scores(counts.values(), metrics)
    utterances = next(iter(counts.values())).utterances
    return Entry("done", scores, tuple(counts), utterances)


def _scores(seeds: Collection[Counts], metrics: Sequence[str]) -> dict[str, Score]:
    alone = any(len(one.answers) < 2 for one in seeds)
    drawn = [] if alone else [resample(one.answers) for one in seeds]
    scores = {}
    for name in metrics:
        metric = METRICS[name]
        each = [mean_of_folds(metric, one.answers.sum(axis=0)) for one in seeds]
        value = float(np.mean(each))
        draws = [mean_of_folds(metric, matrices) for matrices in drawn]
        bounds = interval(np.mean(draws, axis=0)) if draws else (None, None)
        scores[name] = Score(value, *bounds)
    return scores
