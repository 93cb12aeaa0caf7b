"""How sure a score is, and what a difference between two cells is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from nserbench.benchmark.results.intervals import (
    interval_of,
    least_error,
    standard_error,
    t_quantile,
)
from nserbench.benchmark.results.metrics import effective_size, headline
from nserbench.leaderboard.reading.counts import Counts, Row

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
        size: Effective number of answers; see `nserbench.benchmark.results.metrics`.
        seeds: ``(seeds,)``, the headline with each seed.
        drawn: ``(draws,)``, the mean over seeds in each draw of units, which all
            seeds share. None with one unit.
        numbers: The seeds themselves; empty where nobody knows them.
        span: By how much the value would change if every answer did; 1 of a score.
    """

    tested: int
    units: int
    size: float
    seeds: NDArray[np.float64]
    drawn: NDArray[np.float64] | None
    numbers: tuple[int, ...] = ()
    span: float = 1.0

    @classmethod
    def of(cls, counts: Mapping[int, Counts], metric: str) -> Sample:
        """Measure a metric, by its name in `METRICS`, of resampled counts by seed."""
        each = list(counts.values())
        first = each[0]
        drawn = [one.drawn[metric] for one in each if one.drawn]
        return cls(
            tested=first.tested,
            units=len(first.answers),
            size=effective_size(metric, first.folds),
            seeds=np.array([headline(metric, one.folds) for one in each], np.float64),
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
        """Return the 95 % interval of a score. None with one unit."""
        if self.drawn is None:
            return None
        sampling = standard_error(self.drawn, self.value, self.units)
        error, freedom = _combined(sampling, self.units, [self])
        return interval_of(self.value, error, freedom, self.size)

    def change(self, *parts: Sample) -> tuple[float, float] | None:
        """Return the standard error of a difference, and its degrees of freedom.

        Args:
            *parts: Whose seeds differ by chance; the sample's own unless given.

        Returns:
            None with one unit.
        """
        if self.drawn is None:
            return None
        sampling = standard_error(self.drawn, self.value, self.units)
        error, freedom = _combined(sampling, self.units, parts or [self])
        least = self.span * least_error(self.value / self.span, freedom, self.size)
        return max(error, least), freedom

    def minus(self, other: Sample) -> Difference | None:
        """Compare with another cell draw by draw; p is not adjusted.

        Equal seeds begin and shuffle alike, so that they are compared in pairs, too.

        None unless both were tested on the same utterances, of at least two units.
        """
        if self.drawn is None or other.drawn is None or self.tested != other.tested:
            return None
        drawn = self.drawn - other.drawn
        if self.numbers and self.numbers == other.numbers:
            changes = replace(self, seeds=self.seeds - other.seeds, drawn=drawn)
            found = changes.change()
        else:
            value = np.array([self.value - other.value])
            found = replace(self, seeds=value, drawn=drawn).change(self, other)
        return found and _difference(self.value - other.value, *found, self.units)


def _difference(value: float, error: float, freedom: float, units: int) -> Difference:
    """Judge a difference by Student's t, but not beyond what its units allow.

    No p is below `least_p`. Where that is above `LEVEL`, the interval reaches 0.
    """
    least = least_p(units)
    reach = t_quantile(freedom) * error
    if least > LEVEL:
        reach = max(reach, abs(value))
    p = max(float(2 * stdtr(freedom, -abs(value) / error)), least)
    return Difference(value, max(value - reach, -1.0), min(value + reach, 1.0), p)


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


def least_p(units: int) -> float:
    """Return the smallest p that so many units of independence allow.

    If nothing differed, each of them would favour either side with equal chance, and
    all of them the same one with the chance 2^(1 - units).

    Examples:
        >>> least_p(5), least_p(10)
        (0.0625, 0.001953125)
    """
    return 2.0 ** (1 - units)


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
