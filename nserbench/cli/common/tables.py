"""Tables in the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from nserbench.byte_sizes import DECIMAL
from nserbench.quantities import TIMES

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = 3
"""Characters between two columns."""
_UNITS = "|".join([*DECIMAL, *TIMES])
_BREAKS = re.compile(rf"((?<!\d)\s+|\s+(?!(?:{_UNITS})\b))|(?<=/)(?=[^\s/])")
"""Where a line may end: between words, and after a slash, as in a path; not between a
number and its unit."""


class TextTable(NamedTuple):
    """A table to print.

    Attributes:
        whole: Indices of the columns that are not wrapped.
        keys: Number of first columns that name a row. Where the terminal is too narrow
            for all columns, the others follow below, beside these again.
    """

    title: str
    headers: Sequence[str]
    rows: Iterable[Iterable[str | Text]]
    whole: Collection[int] = ()
    keys: int = 1


def print_tables(tables: Iterable[TextTable]) -> None:
    """Print tables to standard output, each below its title; no word is broken."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    parts = [part for table in tables for part in _parts(table, console.width)]
    for index, (title, table) in enumerate(parts):
        if index:
            console.print()
        console.print(Text(title, style="bold"), table)


class _Wrapper(textwrap.TextWrapper):
    """Wraps text between words and after a slash; breaks only what is too long."""

    wordsep_re = _BREAKS


def _parts(table: TextTable, width: int) -> Iterator[tuple[str, Table]]:
    """Yield the title and the columns of each part of a table that fits the width."""
    from rich.text import Text

    rows = [
        [Text(cell) if isinstance(cell, str) else cell for cell in row]
        for row in table.rows
    ]
    headers = [Text(header) for header in table.headers]
    # A row may end before its last columns.
    columns = [list(column) for column in zip_longest(headers, *rows, fillvalue=Text())]
    most = [max(cell.cell_len for cell in _lines(column)) for column in columns]
    least = [
        most[index] if index in table.whole else _longest_piece(column)
        for index, column in enumerate(columns)
    ]
    title = table.title
    for chosen in _fitting(least, table.keys, width):
        widths = _widths(
            [least[index] for index in chosen], [most[index] for index in chosen], width
        )
        yield title, _drawn([columns[index] for index in chosen], widths)
        title = f"{table.title} (continued)"


def _lines(column: Iterable[Text]) -> Iterator[Text]:
    for cell in column:
        yield from cell.split(allow_blank=True)


def _longest_piece(column: Iterable[Text]) -> int:
    from rich.cells import cell_len

    pieces = (piece for cell in column for piece in _BREAKS.split(cell.plain) if piece)
    return max(map(cell_len, pieces), default=0)


def _fitting(least: Sequence[int], keys: int, width: int) -> Iterator[list[int]]:
    """Yield the indices of columns that are shown together, each time with the keys."""
    always = list(range(keys))
    chosen = list(always)
    for index in range(keys, len(least)):
        needed = [least[one] + _GAP for one in (*chosen, index)]
        if len(chosen) > keys and sum(needed) - _GAP > width:
            yield chosen
            chosen = list(always)
        chosen.append(index)
    yield chosen


def _widths(least: Sequence[int], most: Sequence[int], width: int) -> list[int]:
    """Return the width of each column; those with the longest texts get what is left.

    A column may be narrower than its longest word only if one with its keys is too wide
    for the terminal.
    """
    widths, room = list(least), width - _GAP * (len(least) - 1)
    while sum(widths) > max(room, len(widths)):
        widths[widths.index(max(widths))] -= 1
    while sum(widths) < min(room, sum(most)):
        wanting = [n / max(m, 1) for n, m in zip(most, widths, strict=True)]
        widths[wanting.index(max(wanting))] += 1
    return widths


def _drawn(columns: Sequence[Sequence[Text]], widths: Sequence[int]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    headers = [column[0] for column in columns]
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        show_header=any(header.plain for header in headers),
    )
    for header, width in zip(headers, widths, strict=True):
        table.add_column(header, overflow="fold", width=width)
    for row in zip(*(column[1:] for column in columns), strict=True):
        cells = (
            Text(_wrapped(cell.plain, width), style=cell.style)
            for cell, width in zip(row, widths, strict=True)
        )
        table.add_row(*cells)
    return table


def _wrapped(text: str, width: int) -> str:
    wrapper = _Wrapper(max(width, 1))
    return "\n".join(wrapper.fill(line) for line in text.split("\n"))
