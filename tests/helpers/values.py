"""Values whose type a test knows better than the code's annotations."""

from __future__ import annotations

from typing import Any, TypeVar

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.result import Result

Value = TypeVar("Value")


def not_none(value: Value | None) -> Value:
    """Return a value that may be None in general and must not be here."""
    assert value is not None
    return value


def bounds(estimate: Estimate) -> tuple[float, float]:
    """Return both bounds of a number that has an interval."""
    return not_none(estimate.bounds)


def note(result: Result, name: str) -> Any:
    """Return a note of a result; its name says of what type it is."""
    return result.notes[name]
