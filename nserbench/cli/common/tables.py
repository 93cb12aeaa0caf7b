"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def new_table(*headers: str) -> Table:
    """Return an empty table without lines between rows, which wraps long texts."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in headers:
        table.add_column(Text(header), overflow="fold")
    return table


def print_tables(titled: Iterable[tuple[str, Table]]) -> None:
    """Print tables to standard output, each below its title."""
    console = Console()
    for index, (title, table) in enumerate(titled):
        if index:
            console.print()
        console.print(Text(title, style="bold"))
        console.print(table)
