"""Split a table that is wider than the terminal into several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

T = TypeVar("T")


def split_to_width(
    columns: Iterable[T], lay_out: Callable[[Sequence[T]], Table], console: Console
) -> Iterator[Table]:
    """Split columns into tables, each with as many columns as fit the console.

    ``lay_out`` makes a table of some columns.
    """
    unlimited = console.options.update(max_width=10_000)
    part: list[T] = []
    for column in columns:
        wider = lay_out([*part, column])
        needed = Measurement.get(console, unlimited, wider).maximum
        if part and needed > console.width:
            yield lay_out(part)
            part = []
        part.append(column)
    yield lay_out(part)
