"""The summary table: upstreams and heads in rows, corpora and conditions in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.metrics import METRICS, chance
from nserbench.benchmark.results.result import Status
from nserbench.errors import BadSpec, UnknownName
from nserbench.leaderboard.analysis.ranks import Ranks, ranks
from nserbench.leaderboard.analysis.statistics import (
    Difference,
    Sample,
    differences,
    tied_with_best,
)
from nserbench.leaderboard.reading.contamination import Seen
from nserbench.leaderboard.reading.counts import (
    Column,
    CountedResult,
    Row,
    RowColumn,
    condition_order,
)
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.reading.latest import comparable
from nserbench.leaderboard.reading.protocol_use import Cells, ProtocolUse, protocol_uses
from nserbench.leaderboard.reading.same_recordings import Repeats, repeats_of
from nserbench.leaderboard.tables.summary_notes import (
    cut_lines,
    different_test_lines,
    flag_lines,
    flags_of,
    foreign_prompt_lines,
    overlap_lines,
    reason_lines,
    remark_lines,
    repeat_lines,
    replaced_noise_lines,
    seed_lines,
    seen_of,
    too_few_units_lines,
    training_data_lines,
)
from nserbench.natural_order import natural_order

Samples: TypeAlias = dict[Column, dict[str, dict[Row, Sample]]]
"""The scores, by column, metric and row."""

SELECTION_WARNINGS = {"oracle": "chosen on test", "superb": "chosen on known speakers"}
"""Warnings about protocol variants whose selection makes scores too high."""


@dataclass(frozen=True, slots=True)
class Score(Estimate):
    """One metric, as fractions of 1: the mean over seeds; see `SummaryEntry.pooled`.

    Attributes:
        tied: Whether it is not significantly below the best of its column, which is
            tied too. False in a column of one row.
        difference: The difference from the reference row; None without one.
    """

    tied: bool = False
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class SummaryEntry:
    """The scores of one row in one column.

    Attributes:
        status: ``done`` if at least one seed is done; ``left out`` if all results are,
            see `leave_out_unlike`.
        scores: Scores by metric; empty unless it is done.
        utterances: Number of test utterances with each seed.
        pooled: Whether a fold lacks a class; scores are then of all folds together, and
            otherwise the mean of folds.
        chance: Chance level by metric, if each class is guessed equally often.
        flags: What makes the head suspect with any seed; keys of
            `nserbench.benchmark.results.suspect_flags.MEANINGS`.
        seen: Whether the upstream was trained on the corpus.
    """

    status: Status | Literal["left out"]
    scores: Mapping[str, Score]
    seeds: Sequence[int]
    utterances: int
    units: int = 0
    pooled: bool = False
    chance: Mapping[str, float] = field(default_factory=dict)
    flags: Sequence[str] = ()
    seen: Seen = "not said"


@dataclass(frozen=True, slots=True)
class SummaryTable:
    """A leaderboard, before it is written.

    Attributes:
        rows: By name, with numbers in names sorted as numbers.
        columns: By corpus; clean first, then noises by name, from high to low SNR.
        reference: The row that the others are compared with.
        ranks_by: Mean ranks by metric, without columns in `SELECTION_WARNINGS` and
            ``repeats``. Empty unless two rows are both done in two columns.
        repeats: The columns of recordings that another corpus of the table has, too.
        finished: When the newest result was finished; None without results.
        left_out: Those of the notes that name results which are not shown.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    metrics: Sequence[str]
    entries: Mapping[RowColumn, SummaryEntry]
    protocols: Sequence[ProtocolUse]
    notes: Sequence[str]
    reference: Row | None = None
    ranks_by: Mapping[str, Ranks] = field(default_factory=dict)
    finished: datetime | None = None
    repeats: Repeats = field(default_factory=dict)
    left_out: Sequence[str] = ()

    @property
    def ranks(self) -> Ranks | None:
        """The mean ranks by the first metric, if there are any."""
        return self.ranks_by.get(self.metrics[0])

    def header(self, column: Column) -> tuple[str, ...]:
        """Return the header lines of a column, with its selection warnings.

        The protocol is named where the corpus has results of several, in whichever
        conditions: neighbours that cannot be compared are never alike.
        """
        names = (column.corpus, column.condition)
        same = {one.protocol for one in self.columns if one.corpus == column.corpus}
        protocol = (column.protocol,) if len(same) > 1 else ()
        return (*names, *protocol, *selection_warnings(column.protocol))

    def entries_of(self, column: Column) -> list[SummaryEntry]:
        """Return the finished entries of a column, in the order of the rows."""
        entries = (self.entries.get((row, column)) for row in self.rows)
        return [entry for entry in entries if entry and entry.scores]

    def chance(self, column: Column, metric: str) -> float | None:
        """Return the chance level of a column; None if no entry is done.

        Where rows were tested on different utterances, it is that of most rows.
        """
        levels = Counter(
            entry.chance[metric]
            for entry in self.entries_of(column)
            if metric in entry.chance
        )
        return levels.most_common(1)[0][0] if levels else None


def selection_warnings(protocol: str) -> list[str]:
    """Return the warnings about what a protocol selects on; empty for most protocols.

    Examples:
        >>> selection_warnings("paper+oracle v1"), selection_warnings("paper v1")
        (['chosen on test'], [])
    """
    variants = protocol.partition(" ")[0].split("+")
    return [text for variant, text in SELECTION_WARNINGS.items() if variant in variants]


def read_metrics(text: str) -> tuple[str, ...]:
    """Read names of metrics, separated by commas; ``f1`` is the macro F1.

    Raises:
        UnknownName: if a metric does not exist.
    """
    known = {**{name: name for name in METRICS}, "f1": "f1_macro"}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise UnknownName("metric", name, known)
    return tuple(dict.fromkeys(known[name] for name in names))


def read_row(text: str) -> Row:
    """Read the name of a row, such as ``mel x mean``.

    Raises:
        BadSpec: if it is not of that form.
    """
    upstream, between, head = text.rpartition(" x ")
    if not between:
        raise BadSpec(f"{text!r} is not 'UPSTREAM x HEAD'")
    return Row(upstream.strip(), head.strip())


def summary_table(
    roots: Path | Sequence[Path],
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
    rank_by_all: bool = False,
) -> SummaryTable:
    """Make the table of one or more folders of results, for some of `METRICS`.

    Its rows are compared with the reference, if there is one.

    Args:
        rank_by_all: Whether rows are ranked by each metric, not by the first alone.

    Raises:
        BadResult: if a folder has no results, or one cannot be read.
        UnknownName: if the reference is not a row of the table.
    """
    folders = [roots] if isinstance(roots, Path) else roots
    cells, older = read_cells(folders)
    return table_of(cells, older, metrics, reference=reference, rank_by_all=rank_by_all)


def table_of(
    unsorted: Cells,
    older: Sequence[str],
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
    rank_by_all: bool = False,
) -> SummaryTable:
    """Make the table of some results; see `summary_table`.

    Args:
        unsorted: The results of each row and column.
        older: Notes about results that are not shown; see `by_cell`.
        metrics: Some of `METRICS`.
        reference: The row that the others are compared with; None for no comparison.
        rank_by_all: Whether rows are ranked by each metric, not by the first alone.

    Raises:
        UnknownName: if the reference is not a row of the table.
    """
    order = sorted(
        unsorted, key=lambda key: (_row_order(key[0]), _column_order(key[1]))
    )
    cells = {key: unsorted[key] for key in order}
    rows = sorted({row for row, _ in cells}, key=_row_order)
    if reference is not None and reference not in rows:
        raise UnknownName("row", str(reference), list(map(str, rows)))
    samples = _samples(cells, metrics)
    ranked = metrics if rank_by_all else metrics[:1]
    repeats = repeats_of(cells)
    ranks_by = {name: _ranks(samples, name, repeats) for name in ranked}
    return SummaryTable(
        rows=rows,
        columns=list(samples),
        metrics=metrics,
        entries=_entries(cells, samples, reference),
        protocols=protocol_uses(cells),
        notes=[
            *repeat_lines(repeats),
            *overlap_lines(cells),
            *replaced_noise_lines(cells),
            *foreign_prompt_lines(cells),
            *flag_lines(cells),
            *training_data_lines(cells),
            *remark_lines(cells),
            *seed_lines(cells),
            *older,
            *different_test_lines(cells),
            *cut_lines(cells),
            *too_few_units_lines(cells),
            *reason_lines(cells),
        ],
        reference=reference,
        ranks_by={name: found for name, found in ranks_by.items() if found},
        finished=max(
            (one.finished for seeds in cells.values() for one in seeds), default=None
        ),
        repeats=repeats,
        left_out=older,
    )


def ranks_of(cells: Cells, metric: str) -> Ranks | None:
    """Rank the rows of some results by a metric, as `summary_table` does."""
    return _ranks(_samples(cells, [metric]), metric, repeats_of(cells))


def _ranks(samples: Samples, metric: str, repeats: Repeats) -> Ranks | None:
    return ranks(
        {
            column: by_metric[metric]
            for column, by_metric in samples.items()
            if column not in repeats and not selection_warnings(column.protocol)
        }
    )


def _samples(cells: Cells, metrics: Sequence[str]) -> Samples:
    columns = sorted({column for _, column in cells}, key=_column_order)
    samples: Samples = {column: {name: {} for name in metrics} for column in columns}
    for (row, column), results in cells.items():
        seeds = comparable(results)
        counts = {seed: counts.resampled() for seed, counts in seeds.items()}
        for name in metrics if counts else ():
            samples[column][name][row] = Sample.of(counts, name)
    return samples


def _entries(
    cells: Cells, samples: Samples, reference: Row | None
) -> dict[RowColumn, SummaryEntry]:
    scores = {
        column: {name: _scores(rows, reference) for name, rows in by_metric.items()}
        for column, by_metric in samples.items()
    }
    return {
        (row, column): _entry(
            results,
            {name: rows[row] for name, rows in scores[column].items() if row in rows},
        )
        for (row, column), results in cells.items()
    }


def _row_order(row: Row) -> tuple[object, ...]:
    return natural_order(row.upstream), natural_order(row.downstream)


def _column_order(column: Column) -> tuple[object, ...]:
    condition = condition_order(column.condition)
    return natural_order(column.corpus), condition, natural_order(column.protocol)


def _entry(
    results: Sequence[CountedResult], scores: Mapping[str, Score]
) -> SummaryEntry:
    counts = comparable(results)
    if not results:
        return SummaryEntry("left out", {}, (), 0)
    if not counts:
        failed = any(result.status == "failed" for result in results)
        return SummaryEntry("failed" if failed else "not applicable", {}, (), 0)
    first = next(iter(counts.values()))
    return SummaryEntry(
        status="done",
        scores=scores,
        seeds=tuple(counts),
        utterances=first.utterances,
        units=len(first.answers),
        pooled=first.pooled,
        chance={name: chance(name, first.folds) for name in scores},
        flags=flags_of(results),
        seen=seen_of(results),
    )


def _scores(samples: Mapping[Row, Sample], reference: Row | None) -> dict[Row, Score]:
    tied = tied_with_best(samples)
    from_reference = differences(samples, reference) if reference else {}
    scores = {}
    for row, sample in samples.items():
        low, high = sample.interval() or (None, None)
        difference = from_reference.get(row)
        scores[row] = Score(sample.value, low, high, row in tied, difference)
    return scores
