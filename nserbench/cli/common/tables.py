"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.text import Text


class TextTable(NamedTuple):
    """A table to print; columns whose index is in ``whole`` are not wrapped."""

    title: str
    headers: Sequence[str]
    rows: Iterable[Iterable[str | Text]]
    whole: Collection[int] = ()


def print_tables(tables: Iterable[TextTable]) -> None:
    """Print tables to standard output, each below its title."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for index, (title, headers, rows, whole) in enumerate(tables):
        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            show_header=any(headers),
        )
        for column, header in enumerate(headers):
            table.add_column(Text(header), overflow="fold", no_wrap=column in whole)
        for row in rows:
            cells = (Text(cell) if isinstance(cell, str) else cell for cell in row)
            table.add_row(*cells)
        if index:
            console.print()
        console.print(Text(title, style="bold"), table)
