"""Confidence intervals of scores, and paired tests between cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from nserbench.benchmark.results.intervals import (
    Estimate,
    interval_of,
    least_error,
    standard_error,
    t_quantile,
)
from nserbench.benchmark.results.metrics import effective_size, headline
from nserbench.leaderboard.reading.counts import Counts, Row

FEW_UNITS = 10
"""Number of units of independence below which an interval is marked."""
LEVEL = 0.05
"""Significance level of every test."""


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """A row minus the reference row, in one column and metric, as fractions of 1.

    Attributes:
        p: Two-sided p-value, after Holm's correction over the rows of the column.
    """

    p: float


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One metric of a cell, with one or more seeds.

    Attributes:
        tested: Hash of the test set; equal for two cells that can be compared.
        units: Number of units of independence that the bootstrap draws from.
        size: Effective number of answers; see `nserbench.benchmark.results.metrics`.
        seed_values: ``(seeds,)``, the score with each seed.
        drawn: ``(draws,)``, the mean over seeds in each bootstrap draw of units; all
            seeds share the draws. None with one unit.
        seed_numbers: The seeds; empty where they are not known.
        span: Change of the value if every answer changed; 1 for a score.
    """

    tested: int
    units: int
    size: float
    seed_values: NDArray[np.float64]
    drawn: NDArray[np.float64] | None
    seed_numbers: tuple[int, ...] = ()
    span: float = 1.0

    @classmethod
    def of(cls, counts: Mapping[int, Counts], metric: str) -> Sample:
        """Compute a metric, by its name in `METRICS`, from resampled counts by seed."""
        seeds = list(counts.values())
        first = seeds[0]
        values = [headline(metric, seed.folds) for seed in seeds]
        drawn = [seed.drawn[metric] for seed in seeds if seed.drawn]
        return cls(
            tested=first.tested,
            units=len(first.answers),
            size=effective_size(metric, first.folds),
            seed_values=np.array(values, np.float64),
            drawn=np.mean(drawn, axis=0, dtype=np.float64) if drawn else None,
            seed_numbers=tuple(counts),
        )

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.seed_values))

    @property
    def spread(self) -> float:
        """The variance of the mean over seeds due to the seeds; 0 with one seed.

        It is what resampling the seeds in every draw would add, without the bias of
        resampling, which finds (S - 1) / S of the variance of S seeds.
        """
        count = len(self.seed_values)
        return float(np.var(self.seed_values, ddof=1) / count) if count > 1 else 0.0

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of a score; None with one unit."""
        if self.drawn is None:
            return None
        sampling = standard_error(self.drawn, self.value, self.units)
        error, freedom = _combined(sampling, self.units, [self])
        return interval_of(self.value, error, freedom, self.size)

    def error_and_freedom(self, *parts: Sample) -> tuple[float, float] | None:
        """Return the standard error of a difference, and its degrees of freedom.

        Args:
            *parts: Samples whose variance over seeds is added; by default the sample
                itself.

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

        Equal seeds start from the same weights and batches, so they are paired as well.

        Returns:
            None unless both were tested on the same utterances, of two units or more.
        """
        if self.drawn is None or other.drawn is None or self.tested != other.tested:
            return None
        drawn = self.drawn - other.drawn
        if self.seed_numbers and self.seed_numbers == other.seed_numbers:
            values = self.seed_values - other.seed_values
            error = replace(self, seed_values=values, drawn=drawn).error_and_freedom()
        else:
            values = np.array([self.value - other.value])
            difference = replace(self, seed_values=values, drawn=drawn)
            error = difference.error_and_freedom(self, other)
        return error and _difference(self.value - other.value, *error, self.units)


def _difference(value: float, error: float, freedom: float, units: int) -> Difference:
    """Test a difference by Student's t, within what the number of units allows.

    No p is below `least_p`. Where that is above `LEVEL`, the interval includes 0.
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
    """Add the variance over seeds to the standard error, after Satterthwaite (1946).

    Returns:
        The standard error, and its degrees of freedom.
    """
    parts = [(sampling**2, units - 1)]
    parts += [
        (sample.spread, len(sample.seed_values) - 1)
        for sample in samples
        if sample.spread > 0
    ]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0, units - 1.0
    shares = sum(part**2 / freedom for part, freedom in parts)
    return float(np.sqrt(variance)), variance**2 / shares


def least_p(units: int) -> float:
    """Return the smallest p-value that a number of units of independence allows.

    Without a true difference each unit favours either cell with probability 1/2, so all
    of them favour the same cell with probability 2^(1 - units).

    Examples:
        >>> least_p(5), least_p(10)
        (0.0625, 0.001953125)
    """
    return 2.0 ** (1 - units)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple comparisons (Holm, 1979).

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(ps, kind="stable")
    factors = np.arange(len(ps), 0, -1)
    adjusted = np.maximum.accumulate(np.asarray(ps, np.float64)[order] * factors)
    result = np.empty(len(ps))
    result[order] = np.minimum(adjusted, 1.0)
    return [float(p) for p in result]


def differences(samples: Mapping[Row, Sample], reference: Row) -> dict[Row, Difference]:
    """Compare the rows of a column with a reference row; p after Holm.

    Rows that were tested on other utterances than the reference are missing.
    """
    if reference not in samples:
        return {}
    unadjusted = {
        row: difference
        for row, sample in samples.items()
        if row != reference and (difference := sample.minus(samples[reference]))
    }
    adjusted = holm([difference.p for difference in unadjusted.values()])
    return {
        row: replace(difference, p=p)
        for (row, difference), p in zip(unadjusted.items(), adjusted, strict=True)
    }


def tied_with_best(samples: Mapping[Row, Sample]) -> set[Row]:
    """Return the rows of a column that are not significantly below the best row.

    The best row is one of them. Where rows were tested on different utterances, only
    the rows on the most common test set are compared. Empty for a column of one row.
    """
    if len(samples) < 2:
        return set()
    tests = Counter(sample.tested for sample in samples.values())
    (usual, _), *_ = tests.most_common(1)
    same = {row: sample for row, sample in samples.items() if sample.tested == usual}
    best = max(same, key=lambda row: same[row].value)
    others = differences(same, best)
    return {best, *(row for row, other in others.items() if other.p >= LEVEL)}
