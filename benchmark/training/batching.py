"""Cutting things into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Generator, Tensor

T = TypeVar("T")

WINDOW = 8  # batches that are sorted by length together


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of ``size``, the last perhaps shorter.

    Examples:
        >>> list(chunks("abcde", 2))
        ['ab', 'cd', 'e']
    """
    return (items[start : start + size] for start in range(0, len(items), size))


def shuffled(
    rows: Tensor, lengths: Tensor | None, size: int, generator: Generator
) -> list[Tensor]:
    """Deal rows into batches for one epoch.

    Where lengths matter, windows of `WINDOW` batches of random rows are sorted by
    length before they are cut, so that a batch holds little padding and yet differs
    from epoch to epoch; then the batches are shuffled.

    Args:
        rows: ``(n,)`` row numbers.
        lengths: ``(all rows,)`` frames of each row, or None where all are alike.
        size: Rows in a batch.
        generator: The source of chance.

    Returns:
        Batches that hold each row once.
    """
    import torch

    dealt = shuffled_rows(rows, generator)
    if lengths is None:
        return list(dealt.split(size))
    batches = [
        batch
        for window in dealt.split(size * WINDOW)
        for batch in by_length(window, lengths).split(size)
    ]
    order = torch.randperm(len(batches), generator=generator)
    return [batches[place] for place in order.tolist()]


def shuffled_rows(rows: Tensor, generator: Generator) -> Tensor:
    """Give rows in a random order."""
    import torch

    return rows[torch.randperm(len(rows), generator=generator)]


def by_length(rows: Tensor, lengths: Tensor) -> Tensor:
    """Sort rows by their length, equal ones in the order given."""
    return rows[lengths[rows].argsort(stable=True)]
