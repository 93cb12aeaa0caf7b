"""How tables look in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def table(*headers: str) -> Table:
    """Make a table without rules between rows, whose long cells go on in a new line."""
    found = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in headers:
        found.add_column(Text(header), overflow="fold")
    return found


def print_tables(titled: Iterable[tuple[str, Table]]) -> None:
    """Print tables to standard output, each under its title, a line between them."""
    console = Console()
    for place, (title, each) in enumerate(titled):
        if place:
            console.print()
        console.print(Text(title, style="bold"))
        console.print(each)
