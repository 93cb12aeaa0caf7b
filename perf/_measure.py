"""Interleaved measurements, and the lines that the benchmarks print."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def seconds(call: Callable[[], object]) -> float:
    """Return the duration of a call, in seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(*measures: Callable[[], float], rounds: int) -> list[float]:
    """Return the median of each measure; the measures take turns: A B A B.

    So other load on the machine affects all of them alike.
    """
    turns = _turns(measures, rounds)
    return [statistics.median(values) for values in zip(*turns, strict=True)]


def ratios(
    ours: Callable[[], float], *others: Callable[[], float], rounds: int
) -> list[float]:
    """Return each of the others divided by ours, the median over the rounds.

    A ratio within a round differs less than the measures do where a processor becomes
    faster and slower in the course of seconds.
    """
    turns = _turns((ours, *others), rounds)
    return [
        statistics.median(turn[place] / turn[0] for turn in turns)
        for place in range(1, 1 + len(others))
    ]


def _turns(measures: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Return what the measures return in each round."""
    return [[measure() for measure in measures] for _ in range(rounds)]


def at_least(name: str, ratio: float, bar: float) -> str:
    """Return the line of a ratio that must be at least its bar."""
    return _line(name, ratio, bar, ratio >= bar)


def at_most(name: str, ratio: float, bar: float) -> str:
    """Return the line of a ratio that must be at most its bar."""
    return _line(name, ratio, bar, ratio <= bar)


def _line(name: str, ratio: float, bar: float, holds: bool) -> str:
    return f"{name} {ratio:.2f} (bar {bar:.2f}) {'ok' if holds else 'short'}"
