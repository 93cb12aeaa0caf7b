"""95 % intervals of fractions that were measured on few independent units.

After Korn and Graubard (1998): the effective number of utterances follows from the
standard error, is never above the true number, and is reduced for few units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

TAIL = 0.025
"""Probability beyond either end of an interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        low: Lower bound; None where there is no interval, as with one speaker.
        high: Upper bound; likewise.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both bounds; None where there is no interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def standard_error(drawn: NDArray[np.floating[Any]], value: float, units: int) -> float:
    """Return the standard error of a value from its bootstrap draws.

    Deviations are from the value, not from the mean of the draws, so that the bias of
    small folds makes the error larger. The factor n / (n - 1) corrects for the degrees
    of freedom of n units.

    Args:
        drawn: Value of each draw, ``(draws,)``.
        units: Number of independent units, at least 2.
    """
    square = np.mean(np.square(np.asarray(drawn, np.float64) - value))
    return float(np.sqrt(square * units / (units - 1)))


def interval_of(
    value: float, error: float, freedom: float, size: float
) -> tuple[float, float]:
    """Return the two ends of the 95 % interval of a fraction.

    The interval is Student's t on the log-odds scale, so that it stays within 0..1. At
    0 and 1 it is the exact interval of Clopper and Pearson (1934).

    Args:
        error: Standard error of the value. If it is below that of ``size`` independent
            utterances, that one is used: few units can agree by chance.
        size: Effective number of utterances; see
            `nserbench.benchmark.results.metrics.effective_size`.

    Examples:
        >>> low, high = interval_of(0.9, 0.02, 9, 500)
        >>> f"{low:.3f} {high:.3f}"
        '0.845 0.937'
        >>> low, high = interval_of(1.0, 0.0, 9, 500)
        >>> f"{low:.3f} {high:.3f}"
        '0.990 1.000'
    """
    if value in (0, 1):
        reach = unseen(size, freedom)
        return (0.0, reach) if value == 0 else (1 - reach, 1.0)
    error = max(error, _binomial_error(value, size))
    reach = t_quantile(freedom) * error / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-reach, reach]))
    return float(low), float(high)


def least_error(difference: float, freedom: float, size: float) -> float:
    """Return the smallest standard error that a difference of two fractions can have.

    A difference d needs at least a share d of utterances that are right in only one of
    the two. And even if no such utterance was observed, some share may exist.

    Args:
        difference: Difference of two fractions of 1, on the same utterances.
        size: Effective number of utterances of each fraction.
    """
    hidden = unseen(size, freedom) / t_quantile(freedom)
    return max(_binomial_error(min(abs(difference), 1.0), size), hidden)


def unseen(size: float, freedom: float) -> float:
    """Return the upper bound of a share of which no case was observed.

    It is the 97.5 % bound of Clopper and Pearson (1934). The number of utterances is
    ``size`` times the squared ratio of two quantiles of Student's t: the one with
    ``size`` - 1, and the one with the given degrees of freedom.

    Args:
        size: Effective number of utterances, at least 2.
    """
    ratio = min(t_quantile(size - 1) / t_quantile(freedom), 1.0)
    return float(-np.expm1(np.log(TAIL) / (size * ratio**2)))


def t_quantile(freedom: float) -> float:
    """Return the 97.5th percentile of Student's t."""
    return float(stdtrit(freedom, 1 - TAIL))


def _binomial_error(share: float, size: float) -> float:
    return float(np.sqrt(share * (1 - share) / size))
