"""Cells, counts, sizes and times as text."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.byte_sizes import size as size
from nserbench.quantities import counted as counted
from nserbench.quantities import duration as duration

if TYPE_CHECKING:
    from nserbench.benchmark.study.cell import Cell


def cell_line(cell: Cell) -> str:
    """Return the names of a cell, and why it is not applicable, or a remark."""
    from nserbench.upstreams.side_by_side import remarks_of

    reason = f"not applicable, {cell.refused}" if cell.refused else ""
    return ": ".join(filter(None, [str(cell), reason or remarks_of(cell.upstream)]))


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


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of a folder, which need not exist yet."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def total_bytes(files: Iterable[Path]) -> int:
    """Return the total size of files in bytes."""
    return sum(file.stat().st_size for file in files)
