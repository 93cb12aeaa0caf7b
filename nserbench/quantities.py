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


def rate(speed: float) -> tuple[str, str]:
    """Return a speed with three digits, and the unit of time that it is for.

    The unit is the first of `TIMES` in which at least one step is done, else the last.

    Args:
        speed: Steps per second.

    Examples:
        >>> rate(3490.2), rate(0.5347), rate(0.00365)
        (('3490', 's'), ('32.1', 'min'), ('13.1', 'h'))
    """
    seconds = {"s": 1, "min": 60, "h": 3600}
    unit = next((unit for unit in TIMES if speed * seconds[unit] >= 1), TIMES[-1])
    steps = speed * seconds[unit]
    return f"{steps:.3g}" if steps < 1000 else f"{steps:.0f}", unit
