"""What a difference between two cells is worth, and how rows rank over columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtr, stdtrit

from nserbench.benchmark.metrics import (
    DRAWS,
    METRICS,
    interval_of,
    mean_of_folds,
    standard_error,
)
from nserbench.leaderboard.cells import Counts, Row

FEW_UNITS = 10
"""Intervals from fewer units of independence than this are marked."""
LEVEL = 0.05
"""Of every test."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row minus the reference row, in one column and metric, as fractions of 1.

    Attributes:
        value: Of the scores.
        low: Where its 95 % interval begins.
        high: Where it ends.
        p: Two-sided, adjusted after Holm over the rows of the column.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One metric of a cell, measured with one or more seeds.

    Attributes:
        tested: Equal for two cells that were tested on the same utterances.
        units: Of independence, that were drawn from.
        seeds: ``(seeds,)``, the mean of folds with each seed.
        drawn: ``(draws,)``, the mean over seeds in each draw of units, which all
            seeds share. None with one unit.
        numbers: The seeds themselves; empty where nobody knows them.
    """

    tested: int
    units: int
    seeds: NDArray[np.float64]
    drawn: NDArray[np.float64] | None
    numbers: tuple[int, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[int, Counts], metric: str) -> Sample:
        """Measure a metric, by its name in `METRICS`, of resampled counts by seed."""
        each = list(counts.values())
        function, first = METRICS[metric], each[0]
        found = [mean_of_folds(function, one.answers.sum(axis=0)) for one in each]
        drawn = [one.drawn[metric] for one in each if one.drawn]
        return cls(
            tested=first.tested,
            units=len(first.answers),
            seeds=np.array(found, np.float64),
            drawn=np.mean(drawn, axis=0, dtype=np.float64) if drawn else None,
            numbers=tuple(counts),
        )

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.seeds))

    @property
    def spread(self) -> float:
        """The variance of the mean over seeds, from seed to seed; 0 with one.

        What resampling the seeds in every draw would add, in closed form and without
        its bias: of S seeds, it would find (S - 1) / S of the variance.
        """
        count = len(self.seeds)
        return float(np.var(self.seeds, ddof=1) / count) if count > 1 else 0.0

    def interval(self) -> tuple[float, float] | None:
        """Give the 95 % interval of the value. None with one unit."""
        if self.drawn is None:
            return None
        sampling = standard_error(self.drawn, self.value, self.units)
        error, freedom = _combined(sampling, self.units, [self])
        return interval_of(self.value, error, freedom)

    def minus(self, other: Sample) -> Difference | None:
        """Compare with another cell draw by draw; p is not adjusted.

        Equal seeds begin and shuffle alike, so that they are compared in pairs, too.

        None unless both were tested on the same utterances, of at least two units.
        """
        if self.drawn is None or other.drawn is None or self.tested != other.tested:
            return None
        value = self.value - other.value
        sampling = standard_error(self.drawn - other.drawn, value, self.units)
        paired = self.numbers and self.numbers == other.numbers
        changes = replace(self, seeds=self.seeds - other.seeds) if paired else None
        parts = [self, other] if changes is None else [changes]
        error, freedom = _combined(sampling, self.units, parts)
        reach = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
        return Difference(
            value, value - reach, value + reach, _p(value, error, freedom)
        )


def _combined(
    sampling: float, units: int, samples: Sequence[Sample]
) -> tuple[float, float]:
    """Add what differs between seeds to the error, after Satterthwaite (1946).

    Returns:
        The standard error, and its degrees of freedom.
    """
    parts = [(sampling**2, units - 1)]
    parts += [(one.spread, len(one.seeds) - 1) for one in samples if one.spread > 0]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0, units - 1.0
    shares = sum(part**2 / freedom for part, freedom in parts)
    return float(np.sqrt(variance)), variance**2 / shares


def _p(value: float, error: float, freedom: float) -> float:
    """Give the two-sided p of a value against 0, by Student's t."""
    if value == 0:
        return 1.0
    if error == 0:  # no draw is against it, and so many draws cannot show more
        return 1 / (DRAWS + 1)
    return float(2 * stdtr(freedom, -abs(value) / error))


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust p values so that all of them together hold the level (Holm, 1979).

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(ps, kind="stable")
    factors = np.arange(len(ps), 0, -1)
    adjusted = np.maximum.accumulate(np.asarray(ps, np.float64)[order] * factors)
    found = np.empty(len(ps))
    found[order] = np.minimum(adjusted, 1.0)
    return [float(one) for one in found]


def differences(samples: Mapping[Row, Sample], reference: Row) -> dict[Row, Difference]:
    """Compare the rows of a column with one of them, p after Holm.

    Rows that were not tested on the same utterances are left out.
    """
    if reference not in samples:
        return {}
    found = {
        row: difference
        for row, sample in samples.items()
        if row != reference and (difference := sample.minus(samples[reference]))
    }
    adjusted = holm([one.p for one in found.values()])
    return {
        row: replace(one, p=p)
        for (row, one), p in zip(found.items(), adjusted, strict=True)
    }


def tied_with_best(samples: Mapping[Row, Sample]) -> set[Row]:
    """Give the rows of a column that are not significantly below its best.

    The best is one of them. Where rows were tested on different utterances, those
    of the test that most rows share are looked at, since the others do not compare.
    In a column of one row there is nobody to be tied with.
    """
    if len(samples) < 2:
        return set()
    (usual, _), *_ = Counter(one.tested for one in samples.values()).most_common(1)
    alike = {row: one for row, one in samples.items() if one.tested == usual}
    best = max(alike, key=lambda row: alike[row].value)
    others = differences(alike, best)
    return {best, *(row for row, one in others.items() if one.p >= LEVEL)}


@dataclass(frozen=True, slots=True)
class Ranks:
    """How rows rank over the columns in which all of them are done.

    Attributes:
        average: The mean rank of each row, 1 for the best, ties shared; best first.
        columns: How many columns that is.
        critical_difference: Mean ranks this far apart differ at the level 0.05
            (Nemenyi). None where the Friedman test tells no rows apart.
        groups: Rows, best first, that are not told apart; largest groups only.
    """

    average: Mapping[Row, float]
    columns: int
    critical_difference: float | None
    groups: Sequence[Sequence[Row]]


def ranks(columns: Sequence[Mapping[Row, float]]) -> Ranks | None:
    """Rank rows by their values in each column, and average the ranks.

    While fewer than two columns have all rows, the row that is in the fewest columns
    is left out.

    Args:
        columns: The values of each, by row.

    Returns:
        None if fewer than two rows share two columns.
    """
    rows = list(dict.fromkeys(row for column in columns for row in column))
    while len(rows) > 1:
        shared = [column for column in columns if all(row in column for row in rows)]
        if len(shared) > 1:
            return _ranked(
                rows, np.array([[one[row] for row in rows] for one in shared])
            )
        rows.remove(min(rows, key=lambda row: sum(row in one for one in columns)))
    return None


def _ranked(rows: Sequence[Row], values: NDArray[np.float64]) -> Ranks:
    """Rank rows by values ``(columns, rows)``."""
    places = np.array([_places(one) for one in values])
    mean = places.mean(axis=0)
    average = {rows[at]: float(mean[at]) for at in np.argsort(mean, kind="stable")}
    apart = friedman(places) < LEVEL
    width = critical_difference(len(rows), len(values)) if apart else None
    groups = _groups(average, np.inf if width is None else width)
    return Ranks(average, len(values), width, groups)


def _places(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank from high to low, 1 for the highest; equal values share their mean rank."""
    above = (values[None, :] > values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(above + (equal + 1) / 2, np.float64)


def friedman(places: NDArray[np.float64]) -> float:
    """Give the p of Friedman's test that no row ranks above another.

    Args:
        places: ``(columns, rows)``, ranks within each column.
    """
    rows = places.shape[1]
    centred = places - (rows + 1) / 2
    within = float(np.square(centred).sum()) / (rows - 1)  # ties make it smaller
    if within == 0:
        return 1.0
    between = float(np.square(centred.sum(axis=0)).sum())
    return float(chdtrc(rows - 1, between / within))


@lru_cache
def critical_difference(rows: int, columns: int) -> float:
    """Give how far two mean ranks must be apart (Nemenyi; Demsar, 2006, Sec. 3.2.2)."""
    from scipy.stats import studentized_range  # takes long to import

    quantile = float(studentized_range.ppf(1 - LEVEL, rows, np.inf)) / np.sqrt(2)
    return float(quantile * np.sqrt(rows * (rows + 1) / (6 * columns)))


def _groups(average: Mapping[Row, float], width: float) -> list[tuple[Row, ...]]:
    """Give the largest runs of rows, best first, that lie within the width."""
    rows = list(average)
    groups: list[tuple[Row, ...]] = []
    for start, first in enumerate(rows):
        near = (row for row in rows[start:] if average[row] - average[first] <= width)
        group = tuple(near)
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups
