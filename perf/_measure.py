"""Medians of interleaved measurements, and the lines that the benchmarks print."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(call: Callable[[], object]) -> float:
    """Return the duration of a call, in seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(*measures: Callable[[], float], rounds: int) -> list[float]:
    """Return the median of each measure; the measures take turns: A B A B.

    So other load on the machine affects all of them alike.
    """
    values = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*values, strict=True)]


def at_least(name: str, ratio: float, bar: float) -> str:
    """Return the line of a ratio that must be at least its bar."""
    return _line(name, ratio, bar, ratio >= bar)


def at_most(name: str, ratio: float, bar: float) -> str:
    """Return the line of a ratio that must be at most its bar."""
    return _line(name, ratio, bar, ratio <= bar)


def _line(name: str, ratio: float, bar: float, holds: bool) -> str:
    return f"{name} {ratio:.2f} (bar {bar:.2f}) {'ok' if holds else 'short'}"
