"""The summary table: upstreams and heads by corpora and conditions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from nserbench.benchmark.results.metrics import METRICS, chance
from nserbench.benchmark.results.result import Status
from nserbench.errors import UnknownName
from nserbench.leaderboard.analysis.ranks import Ranks, ranks
from nserbench.leaderboard.analysis.statistics import (
    Difference,
    Sample,
    differences,
    tied_with_best,
)
from nserbench.leaderboard.reading.counts import (
    Column,
    CountedResult,
    Row,
    comparable,
    condition_order,
    newest,
)
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.tables.summary_notes import (
    Places,
    denominator_lines,
    flag_lines,
    flags_of,
    hopeless_lines,
    overlap_lines,
    protocol_lines,
    reason_lines,
    seed_lines,
)

Samples: TypeAlias = dict[Column, dict[str, dict[Row, Sample]]]
"""What is measured, by column, metric and row."""

SELECTION_WARNINGS = {
    "oracle": "chosen on test",
    "superb": "chosen on known speakers",
}
"""Variants of a protocol whose choice flatters, and what is said of it."""


@dataclass(frozen=True, slots=True)
class Score:
    """One metric, as fractions of 1.

    Attributes:
        value: The mean over seeds of the headline; see `SummaryEntry.pooled`.
        low: Where its 95 % interval begins; sampling and seeds are both in it. None
            with one speaker.
        high: Where it ends.
        tied: Whether it is not significantly below the best of its column; the best
            is tied too. False in a column of one row.
        difference: To the reference row, if there is one.
    """

    value: float
    low: float | None
    high: float | None
    tied: bool = False
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class SummaryEntry:
    """What stands where a row and a column meet.

    Attributes:
        status: ``done`` if at least one seed is.
        scores: By metric; empty unless it is done.
        seeds: Those that are averaged.
        utterances: Tested with each seed.
        units: Of independence, behind the intervals.
        pooled: Whether a fold lacks a class, so that its scores are those of all folds
            together, and else the mean of folds.
        chance: By metric, what guessing every class equally often gives.
        flags: What makes it suspect, with any seed; names in
            `nserbench.benchmark.results.flags.MEANINGS`.
    """

    status: Status
    scores: Mapping[str, Score]
    seeds: Sequence[int]
    utterances: int
    units: int = 0
    pooled: bool = False
    chance: Mapping[str, float] = field(default_factory=dict)
    flags: Sequence[str] = ()


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
        reference: The row that the others are compared with.
        ranks: By the first metric, without columns whose choice flatters. None where
            fewer than two rows are done together in at least two columns.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    metrics: Sequence[str]
    entries: Mapping[tuple[Row, Column], SummaryEntry]
    protocols: Sequence[str]
    notes: Sequence[str]
    reference: Row | None = None
    ranks: Ranks | None = None

    def header(self, column: Column) -> tuple[str, ...]:
        """Give the lines above a column; its protocol where that tells two apart.

        A choice that flatters is named above every number that it made.
        """
        place = (column.corpus, column.condition)
        split = [one for one in self.columns if (one.corpus, one.condition) == place]
        name = (column.protocol,) if len(split) > 1 else ()
        return (*place, *name, *selection_warnings(column.protocol))

    def entries_of(self, column: Column) -> list[SummaryEntry]:
        """Return what is done in a column, in the order of the rows."""
        found = (self.entries.get((row, column)) for row in self.rows)
        return [entry for entry in found if entry and entry.scores]

    def chance(self, column: Column, metric: str) -> float | None:
        """Return what guessing gives in a column; None where nothing is done.

        Where rows were tested on different utterances, it is that of most rows.
        """
        found = Counter(
            entry.chance[metric]
            for entry in self.entries_of(column)
            if metric in entry.chance
        )
        return found.most_common(1)[0][0] if found else None


def selection_warnings(protocol: str) -> list[str]:
    """Return what is to be said of a protocol whose choice flatters; else nothing.

    Examples:
        >>> flattering("paper+oracle v1"), flattering("paper v1")
        (['chosen on test'], [])
    """
    variants = protocol.partition(" ")[0].split("+")
    return [said for variant, said in SELECTION_WARNINGS.items() if variant in variants]


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


def summary_table(
    roots: Path | Sequence[Path],
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
) -> SummaryTable:
    """Make the table of one or more folders of results.

    Args:
        roots: The folders.
        metrics: Names in `METRICS`.
        reference: The row that the others are compared with.

    Raises:
        BadResult: if a folder has no results, or one cannot be read.
        UnknownName: if the reference has no result.
    """
    folders = [roots] if isinstance(roots, Path) else roots
    read = (one for root in folders for one in read_counted_results(root))
    tallies, older = newest(read)
    places: dict[tuple[Row, Column], list[CountedResult]] = defaultdict(list)
    for tally in sorted(tallies, key=_order):
        places[tally.row, tally.column].append(tally)
    rows = sorted({row for row, _ in places}, key=_row_order)
    if reference is not None and reference not in rows:
        raise UnknownName("row", str(reference), list(map(str, rows)))
    samples = _samples(places, metrics)
    return SummaryTable(
        rows=rows,
        columns=list(samples),
        metrics=metrics,
        entries=_entries(places, samples, reference),
        protocols=protocol_lines(places),
        notes=[
            *overlap_lines(places),
            *flag_lines(places),
            *seed_lines(places),
            *older,
            *denominator_lines(places),
            *hopeless_lines(places),
            *reason_lines(places),
        ],
        reference=reference,
        ranks=ranks(
            {
                column: found[metrics[0]]
                for column, found in samples.items()
                if not selection_warnings(column.protocol)
            }
        ),
    )


def _samples(places: Places, metrics: Sequence[str]) -> Samples:
    """Measure what is done, by column, metric and row."""
    columns = sorted({column for _, column in places}, key=_column_order)
    samples: Samples = {column: {name: {} for name in metrics} for column in columns}
    for (row, column), tallies in places.items():
        counts = {seed: one.resampled() for seed, one in comparable(tallies).items()}
        for name in metrics if counts else ():
            samples[column][name][row] = Sample.of(counts, name)
    return samples


def _entries(
    places: Places, samples: Samples, reference: Row | None
) -> dict[tuple[Row, Column], SummaryEntry]:
    scores = {
        column: {name: _scores(each, reference) for name, each in found.items()}
        for column, found in samples.items()
    }
    return {
        (row, column): _entry(
            tallies,
            {name: each[row] for name, each in scores[column].items() if row in each},
        )
        for (row, column), tallies in places.items()
    }


def _order(tally: CountedResult) -> tuple[object, ...]:
    return _row_order(tally.row), _column_order(tally.column), tally.seed


def _row_order(row: Row) -> tuple[object, ...]:
    return _natural(row.upstream), _natural(row.downstream)


def _column_order(column: Column) -> tuple[object, ...]:
    condition = condition_order(column.condition)
    return _natural(column.corpus), condition, _natural(column.protocol)


def _natural(name: str) -> list[str | int]:
    """Sort numbers in names as numbers: layer 9 before layer 10."""
    # Pieces at odd places are the digits, so that like is compared with like.
    pieces = re.split(r"([0-9]+)", name)
    return [int(one) if place % 2 else one for place, one in enumerate(pieces)]


def _entry(
    tallies: Sequence[CountedResult], scores: Mapping[str, Score]
) -> SummaryEntry:
    counts = comparable(tallies)
    if not counts:
        failed = any(tally.status == "failed" for tally in tallies)
        return SummaryEntry("failed" if failed else "not applicable", {}, (), 0)
    one = next(iter(counts.values()))
    return SummaryEntry(
        status="done",
        scores=scores,
        seeds=tuple(counts),
        utterances=one.utterances,
        units=len(one.answers),
        pooled=one.pooled,
        chance={name: chance(name, one.folds) for name in scores},
        flags=flags_of(tallies),
    )


def _scores(samples: Mapping[Row, Sample], reference: Row | None) -> dict[Row, Score]:
    """Score the rows of one column in one metric."""
    tied = tied_with_best(samples)
    apart = differences(samples, reference) if reference else {}
    scores = {}
    for row, sample in samples.items():
        low, high = sample.interval() or (None, None)
        scores[row] = Score(sample.value, low, high, row in tied, apart.get(row))
    return scores
