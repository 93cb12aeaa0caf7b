"""``nserbench status``: which cells have a result."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.results.index import ResultEntry
    from nserbench.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@json_option
@with_settings
def status(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Print which cells have a result and which are missing.

    FOLDER holds results; default: `results`. For each corpus and protocol, the table
    has a row for each upstream and head and a column for each condition with a result;
    a cell without a result is missing.
    """
    from nserbench.benchmark.results.index import read_entries
    from nserbench.cli.common.tables import print_tables

    results = folder or settings.results
    entries = read_entries(results)
    if as_json:
        rows = [
            {**entry.names, "status": entry.status, "digest": entry.digest}
            for entry in entries
        ]
        click.echo(json.dumps(rows, indent=1))
    elif not entries:
        click.echo(f"no results in {results}: create some with `nserbench run`")
    else:
        print_tables(_tables(entries))


def _tables(entries: Sequence[ResultEntry]) -> Iterator[tuple[str, Table]]:
    """Yield a title and a table for each corpus and protocol."""
    groups: dict[str, list[ResultEntry]] = defaultdict(list)
    for entry in entries:
        title = f"{entry.names['corpus']} ({entry.names['protocol']})"
        groups[title].append(entry)
    for title, group in groups.items():
        yield title, _table(group)


def _table(entries: Sequence[ResultEntry]) -> Table:
    """Return a table of one corpus and protocol, with a column for each condition."""
    from rich.text import Text

    from nserbench.cli.common.tables import new_table

    conditions = dict.fromkeys(str(entry.names["condition"]) for entry in entries)
    table = new_table("upstream", "downstream", *conditions)
    for row in dict.fromkeys(_row(entry) for entry in entries):
        row_entries = [entry for entry in entries if _row(entry) == row]
        statuses = [_status(row_entries, condition) for condition in conditions]
        table.add_row(*map(Text, row), *statuses)
    return table


def _row(entry: ResultEntry) -> tuple[str, str]:
    return str(entry.names["upstream"]), str(entry.names["downstream"])


def _status(entries: Sequence[ResultEntry], condition: str) -> str:
    statuses = [
        entry.status for entry in entries if entry.names["condition"] == condition
    ]
    if not statuses:
        return "missing"
    if set(statuses) == {"done"}:
        return "done" if len(statuses) == 1 else f"done x {len(statuses)}"
    return ", ".join(dict.fromkeys(statuses))
