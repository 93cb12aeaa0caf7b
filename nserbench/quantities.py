"""Counts, times and speeds as text."""

from __future__ import annotations

TIMES = ("s", "min", "h")
"""Units of `duration`."""


def counted(count: int, thing: str) -> str:
    """Return a count with its noun in singular or plural.

    Examples:
        >>> counted(1, "cell"), counted(3, "cell")
        ('1 cell', '3 cells')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time in seconds, minutes or hours.

    Examples:
        >>> duration(0.42), duration(42), duration(600), duration(9000)
        ('0.4 s', '42 s', '10 min', '2.5 h')
    """
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def rate(speed: float) -> str:
    """Return a speed with three digits and no exponent.

    Examples:
        >>> rate(0.5347), rate(3490.2)
        ('0.535', '3490')
    """
    return f"{speed:.3g}" if speed < 1000 else f"{speed:.0f}"
