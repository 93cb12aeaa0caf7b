"""Intervals of fractions that were measured on few independent units.

After Korn and Graubard (1998), who take the effective number of answers from the
standard error, but never more than were given, and fewer for few units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

TAIL = 0.025
"""On either side of an interval."""


def standard_error(drawn: NDArray[np.floating[Any]], value: float, units: int) -> float:
    """Return the standard error of a value from its bootstrap draws.

    Deviations are from the value, so that a bias of small folds widens it. The factor
    undoes that a bootstrap of n units has n - 1 degrees of freedom but divides by n.

    Args:
        drawn: ``(draws,)``.
        value: What was measured.
        units: How many were drawn from, at least 2.
    """
    square = np.mean(np.square(np.asarray(drawn, np.float64) - value))
    return float(np.sqrt(square * units / (units - 1)))


def interval_of(
    value: float, error: float, freedom: float, size: float
) -> tuple[float, float]:
    """Return the 95 % interval of a fraction.

    It is Student's t on the log-odds scale, so that it stays within 0..1. At 0 and 1
    it is the exact interval of Clopper and Pearson (1934).

    Args:
        value: A fraction of 1.
        error: Its standard error. One below that of ``size`` independent answers is
            raised to it: few units can agree by chance.
        freedom: Degrees of freedom of the error.
        size: Effective number of answers; see `nserbench.benchmark.results.metrics`.

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

    A difference d takes a share d at least of answers that are right in one of the two
    alone. And however small it is, a share of such answers may not have been seen.

    Args:
        difference: Of two fractions of 1, measured on the same utterances.
        freedom: Degrees of freedom of the error.
        size: Effective number of answers of each.
    """
    hidden = unseen(size, freedom) / t_quantile(freedom)
    return max(_binomial_error(min(abs(difference), 1.0), size), hidden)


def unseen(size: float, freedom: float) -> float:
    """Return the largest share of answers that may be so without one being seen.

    The bound of Clopper and Pearson (1934), 97.5 %, for as many answers as `size`
    times the squared ratio of Student's t with that many and with the given degrees of
    freedom.

    Args:
        size: Effective number of answers, at least 2.
        freedom: Degrees of freedom of the units that gave them.
    """
    ratio = min(t_quantile(size - 1) / t_quantile(freedom), 1.0)
    return float(-np.expm1(np.log(TAIL) / (size * ratio**2)))


def t_quantile(freedom: float) -> float:
    """Return the 97.5th percentile of Student's t."""
    return float(stdtrit(freedom, 1 - TAIL))


def _binomial_error(share: float, size: float) -> float:
    return float(np.sqrt(share * (1 - share) / size))
