"""Cut rows into batches."""

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
    """Shuffle rows and cut them into batches for one epoch.

    With lengths, windows of `WINDOW` batches of random rows are sorted by length before
    they are cut, so that a batch has little padding and still differs from epoch to
    epoch; then the batches are shuffled.

    Args:
        rows: ``(n,)`` row numbers.
        lengths: ``(all rows,)`` frames of each row; None if all have the same.

    Returns:
        Batches that hold each row once.
    """
    import torch

    in_order = shuffled_rows(rows, generator)
    if lengths is None:
        return list(in_order.split(size))
    batches = [
        batch
        for window in in_order.split(size * WINDOW)
        for batch in by_length(window, lengths).split(size)
    ]
    order = torch.randperm(len(batches), generator=generator)
    return [batches[number] for number in order.tolist()]


def shuffled_rows(rows: Tensor, generator: Generator) -> Tensor:
    """Return rows in a random order."""
    import torch

    return rows[torch.randperm(len(rows), generator=generator)]


def by_length(rows: Tensor, lengths: Tensor) -> Tensor:
    """Sort rows by their length; rows of equal length keep their order."""
    return rows[lengths[rows].argsort(stable=True)]
