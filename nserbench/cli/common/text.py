"""Cells, counts, sizes and times as text."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.byte_sizes import size as size

if TYPE_CHECKING:
    from nserbench.benchmark.study.cell import Cell


def cell_line(cell: Cell) -> str:
    """Return the names of a cell and, if it is not applicable, the reason."""
    return f"{cell}: not applicable, {cell.refused}" if cell.refused else str(cell)


def not_applicable(cells: Iterable[Cell]) -> list[str]:
    """Return a line for each upstream and head with cells that are not applicable."""
    counts = Counter(
        (cell.upstream.label, cell.downstream.label, cell.refused)
        for cell in cells
        if cell.refused is not None
    )
    return [
        f"not applicable: {upstream} x {head}, {counted(count, 'cell')}: {reason}"
        for (upstream, head, reason), count in counts.items()
    ]


def printable(text: str) -> str:
    r"""Return a text without characters that a terminal would obey.

    Examples:
        >>> printable("out of memory\x1b[2J")
        'out of memory\\x1b[2J'
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1]
        for letter in text
    )


def wrapped(line: str) -> str:
    """Return a line broken between words, because a terminal breaks inside them."""
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return click.wrap_text(line, width, subsequent_indent="  ")


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
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of a folder, which need not exist yet."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def total_bytes(files: Iterable[Path]) -> int:
    """Return the total size of files in bytes."""
    return sum(file.stat().st_size for file in files)


def rate(speed: float) -> str:
    """Return a speed with three digits and no exponent.

    Examples:
        >>> rate(0.5347), rate(3490.2)
        ('0.535', '3490')
    """
    return f"{speed:.3g}" if speed < 1000 else f"{speed:.0f}"
