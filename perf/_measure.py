"""What the benchmarks share: medians of measures taken in turn, and their verdicts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(call: Callable[[], object]) -> float:
    """Give how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(*measures: Callable[[], float], rounds: int) -> list[float]:
    """Give the median of each measure, taken in turn: A B A B.

    What else the machine does then weighs on all of them alike.
    """
    found = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(each) for each in zip(*found, strict=True)]


def at_least(name: str, ratio: float, bar: float) -> str:
    """Say whether a ratio reaches its bar."""
    return _line(name, ratio, bar, ratio >= bar)


def at_most(name: str, ratio: float, bar: float) -> str:
    """Say whether a ratio stays below its bar."""
    return _line(name, ratio, bar, ratio <= bar)


def _line(name: str, ratio: float, bar: float, holds: bool) -> str:
    return f"{name} {ratio:.2f} (bar {bar:.2f}) {'ok' if holds else 'short'}"
