"""Mean ranks of rows over columns, and which of them differ significantly.

The bootstrap draws units of independence, as for every interval. The conditions of a
corpus share the draws, since they share the speakers; two corpora do not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nserbench.benchmark.results.intervals import Estimate, interval_of, standard_error
from nserbench.leaderboard.analysis.statistics import LEVEL, Sample
from nserbench.leaderboard.reading.counts import Column, Row

Floats: TypeAlias = NDArray[np.float64]
ROUNDED = 1e-9
"""Rounding error up to which two mean ranks count as equal."""

EXACT, DRAWN = 12, 6
"""Decimals up to which two scores are equal: a sum of float64, and draws of float32."""

FEWEST = 5
"""Number of units with which no two rows can differ significantly."""

Samples: TypeAlias = Mapping[Row, Sample]
"""One metric of the rows of a column."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Ranks of the rows over the columns of one protocol in which all of them are done.

    Attributes:
        mean: Mean rank by row, best first: the mean over corpora of the mean over the
            columns of a corpus. 1 is best; ties share the mean of their ranks.
        columns: The columns that are ranked, all of one protocol.
        critical_difference: Rows whose mean ranks differ by more are significantly
            different (5 %).
        groups: Sets of rows that do not differ significantly, best first; only sets
            that are in no larger one.
    """

    mean: Mapping[Row, Estimate]
    columns: Sequence[Column]
    critical_difference: float
    groups: Sequence[Sequence[Row]]

    @property
    def protocol(self) -> str:
        """The protocol of all columns."""
        return self.columns[0].protocol

    @property
    def corpora(self) -> int:
        """The number of corpora."""
        return len({column.corpus for column in self.columns})


@dataclass(frozen=True, slots=True)
class CorpusBlock:
    """The scores of one corpus, all on the same test utterances.

    Attributes:
        values: ``(columns, rows)``, the scores.
        drawn: ``(columns, rows, draws)``, the scores in each bootstrap draw; a draw
            takes the same units in all columns and rows.
    """

    units: int
    values: Floats
    drawn: Floats


def ranks(columns: Mapping[Column, Samples]) -> Ranks | None:
    """Rank rows by their score in each column, and average the ranks.

    Only the protocol with the most columns is ranked. A column counts if all its rows
    were tested on the same utterances, those of most columns of its corpus, with two
    units or more. While fewer than two columns have all rows, the row that is in the
    fewest columns is removed.

    Returns:
        None if fewer than two rows share two columns.
    """
    kept = _of_one_protocol(_comparable(columns))
    rows = list(dict.fromkeys(row for samples in kept.values() for row in samples))
    while len(rows) > 1:
        shared = {
            column: [samples[row] for row in rows]
            for column, samples in kept.items()
            if all(row in samples for row in rows)
        }
        if len(shared) > 1:
            return _ranked(rows, shared)
        rows.remove(
            min(rows, key=lambda row: sum(row in samples for samples in kept.values()))
        )
    return None


def _comparable(columns: Mapping[Column, Samples]) -> dict[Column, Samples]:
    """Keep columns of several rows, all on the most common test set of their corpus."""
    tests = {
        column: {(item.tested, item.drawn is not None) for item in samples.values()}
        for column, samples in columns.items()
        if len(samples) > 1
    }
    single = {column: next(iter(of)) for column, of in tests.items() if len(of) == 1}
    usual: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for column, (tested, drawn) in single.items():
        if drawn:
            usual[column.corpus, column.protocol][tested] += 1
    return {
        column: columns[column]
        for column, (tested, drawn) in single.items()
        if drawn
        and usual[column.corpus, column.protocol].most_common(1)[0][0] == tested
    }


def _of_one_protocol(columns: Mapping[Column, Samples]) -> dict[Column, Samples]:
    """Keep the columns of the protocol with the most columns; the first of several."""
    counts = Counter(column.protocol for column in columns)
    if not counts:
        return {}
    (most, _), *_ = counts.most_common(1)
    return {
        column: samples
        for column, samples in columns.items()
        if column.protocol == most
    }


def _ranked(rows: Sequence[Row], columns: Mapping[Column, Sequence[Sample]]) -> Ranks:
    corpora: dict[str, list[Sequence[Sample]]] = defaultdict(list)
    for column, samples in columns.items():
        corpora[column.corpus].append(samples)
    mean, critical = ranked([_block(name, rows) for name, rows in corpora.items()])
    order = sorted(range(len(rows)), key=lambda index: mean[index].value)
    best_first = {rows[index]: mean[index] for index in order}
    return Ranks(
        mean=best_first,
        columns=list(columns),
        critical_difference=critical,
        groups=_groups(best_first, critical),
    )


def _block(corpus: str, columns: Sequence[Sequence[Sample]]) -> CorpusBlock:
    """Join the columns of a corpus.

    Two corpora with the same number of units have the same bootstrap draws, though
    their speakers are unrelated. So the name of the corpus decides a new order.
    """
    seed = int.from_bytes(sha256(corpus.encode()).digest()[:8], "big")
    drawn = np.array([[sample.drawn for sample in samples] for samples in columns])
    count = drawn.shape[-1]
    drawn = drawn[..., np.random.default_rng(seed).permutation(count)]
    seeds = [
        [
            _seed_changes(sample, count, [seed, row])
            for row, sample in enumerate(samples)
        ]
        for samples in columns
    ]
    return CorpusBlock(
        units=columns[0][0].units,
        values=np.array([[sample.value for sample in samples] for samples in columns]),
        drawn=drawn + np.array(seeds),
    )


def _seed_changes(sample: Sample, draws: int, seed: Sequence[int]) -> Floats:
    """Resample the seeds; return the change of their mean, ``(draws,)``.

    A factor corrects the bias of resampling, which finds (S - 1) / S of the variance
    of S seeds.
    """
    count = len(sample.seed_values)
    if count == 1:
        return np.zeros(draws)
    random = np.random.default_rng(seed)
    times = random.multinomial(count, np.full(count, 1 / count), size=draws)
    changes = times @ sample.seed_values / count - sample.value
    return np.asarray(np.sqrt(count / (count - 1)) * changes)


def ranked(blocks: Sequence[CorpusBlock]) -> tuple[list[Estimate], float]:
    """Rank the rows of all blocks, which hold the same rows in the same order.

    Returns:
        The mean rank of each row, and the critical difference: a percentile of the
        range of mean ranks over draws in which every row is shifted to the same score,
        so that rows differ by chance alone. It is the 95th percentile with many units.
        With few units it is higher, since they estimate the correlation of rows poorly.
        This is our choice, tested by the simulation of docs/statistics.md.
    """
    rows, draws = blocks[0].drawn.shape[1:]
    mean = np.zeros(rows)
    drawn, equal = np.zeros((rows, draws)), np.zeros((rows, draws))
    for block in blocks:
        mean += _ranks(block.values, EXACT, axis=1).mean(axis=0) / len(blocks)
        for values, column in zip(block.values, block.drawn, strict=True):
            share = 1 / len(block.values) / len(blocks)
            drawn += share * _ranks(column, DRAWN, axis=0)
            equal += share * _ranks(column - values[:, None], DRAWN, axis=0)
    mean, units = mean.round(9), min(block.units for block in blocks)
    mean_ranks = [
        Estimate(value, *_interval(value, in_draws, if_equal, rows, units))
        for value, in_draws, if_equal in zip(mean.tolist(), drawn, equal, strict=True)
    ]
    beyond = LEVEL * max(1 - FEWEST / units, 0.0)
    width = np.quantile(np.ptp(equal, axis=0), 1 - beyond, method="higher")
    return mean_ranks, round(float(width), 9)


def _ranks(values: Floats, decimals: int, axis: int) -> Floats:
    """Rank from high to low, 1 for the highest; equal values share their mean rank.

    Values are equal if they are so when rounded to some decimals.
    """
    return np.asarray(rankdata(-values.round(decimals), axis=axis), np.float64)


def _interval(
    rank: float, drawn: Floats, equal: Floats, rows: int, units: int
) -> tuple[float, float]:
    """Return the 95 % interval of a mean rank.

    It is Student's t on the log-odds scale from the first rank to the last, as for a
    score. It is no wider than that of a row among equal rows, which rank by chance.

    Args:
        drawn: ``(draws,)``, the mean rank in each draw.
        equal: ``(draws,)``, the same if every row has the same score.
    """
    value, error = (rank - 1) / (rows - 1), standard_error(drawn, rank, units)
    low, high = 0.0, 1.0
    if 0 < value < 1:
        low, high = interval_of(value, error / (rows - 1), units - 1, np.inf)
    reach = float(np.quantile(np.abs(equal - (rows + 1) / 2), 1 - LEVEL / 2))
    bounds = 1 + (rows - 1) * low, 1 + (rows - 1) * high
    return max(bounds[0], rank - reach), min(bounds[1], rank + reach)


def _groups(mean: Mapping[Row, Estimate], width: float) -> list[tuple[Row, ...]]:
    """Return the largest sets of rows, best first, with mean ranks within the width."""
    rows = list(mean)
    groups: list[tuple[Row, ...]] = []
    for start, first in enumerate(rows):
        group = tuple(
            row
            for row in rows[start:]
            if mean[row].value - mean[first].value <= width + ROUNDED
        )
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups
