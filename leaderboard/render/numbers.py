"""How every number is written: percent, differences, p-values, intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nserbench.benchmark.results.intervals import Estimate

NO_INTERVAL = "-"
"""Written between the brackets where there is no interval."""


def percent(value: float, digits: int = 1) -> str:
    """Write a fraction of 1 in percent.

    Examples:
        >>> percent(0.6249), percent(0.00473, digits=2)
        ('62.5', '0.47')
    """
    return f"{100 * value:.{digits}f}"


def signed_percent(value: float) -> str:
    """Write a difference of fractions in percentage points; zero has no sign.

    Examples:
        >>> signed_percent(0.0123), signed_percent(-0.0004)
        ('+1.2', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text


def p_value(p: float) -> str:
    """Write a p-value with two digits, or three below 0.1.

    Examples:
        >>> p_value(0.2), p_value(0.0312), p_value(0.0004)
        ('0.20', '0.031', '<0.001')
    """
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def mean_rank(rank: float) -> str:
    """Write a mean rank.

    Examples:
        >>> mean_rank(1.25)
        '1.2'
    """
    return f"{rank:.1f}"


def interval(estimate: Estimate, number: Callable[[float], str] = percent) -> str:
    """Write the bounds of an interval, each as `number` writes it.

    Examples:
        >>> from nserbench.benchmark.results.intervals import Estimate
        >>> interval(Estimate(0.5, 0.412, 0.588)), interval(Estimate(0.5, None, None))
        ('41.2, 58.8', '-')
    """
    return ", ".join(map(number, estimate.bounds)) if estimate.bounds else NO_INTERVAL
