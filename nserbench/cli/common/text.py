"""Cells, sizes and times in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nserbench.benchmark.study.cell import Cell


def refusals(cells: Iterable[Cell]) -> list[str]:
    """Say what cannot exist, once for each upstream and head."""
    counts = Counter(
        (cell.upstream.label, cell.downstream.label, cell.refused)
        for cell in cells
        if cell.refused is not None
    )
    return [
        f"not applicable: {upstream} x {head}, {counted(count, 'cell')}: {reason}"
        for (upstream, head, reason), count in counts.items()
    ]


def counted(count: int, thing: str) -> str:
    """Write a number of things.

    Examples:
        >>> counted(1, "cell"), counted(3, "cell")
        ('1 cell', '3 cells')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a time as people say it.

    Examples:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Write a number of bytes.

    Examples:
        >>> size(2.4e5), size(2.5e9)
        ('0.2 MB', '2.50 GB')
    """
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def bytes_of(files: Iterable[Path]) -> int:
    """Give how many bytes files take together."""
    return sum(file.stat().st_size for file in files)


def rate(speed: float) -> str:
    """Write how many a second, without an exponent.

    Examples:
        >>> rate(0.5347), rate(3490.2)
        ('0.535', '3490')
    """
    return f"{speed:.3g}" if speed < 1000 else f"{speed:.0f}"
