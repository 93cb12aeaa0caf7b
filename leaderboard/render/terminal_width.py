"""Tables that are wider than the terminal, in as many parts as it asks for."""

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
    """Share out columns, each table with as many as fit beside each other.

    Args:
        columns: Whatever stands for a column.
        lay_out: Makes a table of some of them.
        console: Where the tables are to be shown.
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
