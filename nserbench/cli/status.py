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
    """Show which cells have a result in FOLDER, and which have not.

    FOLDER is `results` unless set. For each corpus and protocol the grid is every
    upstream and head that has any result, in every condition that has any.
    """
    from nserbench.benchmark.results.index import read_entries
    from nserbench.cli.common.tables import print_tables

    results = folder or settings.results
    found = read_entries(results)
    if as_json:
        rows = [
            {**one.names, "status": one.status, "digest": one.digest} for one in found
        ]
        click.echo(json.dumps(rows, indent=1))
    elif not found:
        click.echo(f"no results in {results}: `nserbench run` makes some")
    else:
        print_tables(_tables(found))


def _tables(entries: Sequence[ResultEntry]) -> Iterator[tuple[str, Table]]:
    """Give a table for each corpus and protocol."""
    parts: dict[str, list[ResultEntry]] = defaultdict(list)
    for one in entries:
        parts[f"{one.names['corpus']} ({one.names['protocol']})"].append(one)
    for title, here in parts.items():
        yield title, _table(here)


def _table(entries: Sequence[ResultEntry]) -> Table:
    """Lay the results of one corpus and protocol out, a condition in each column."""
    from rich.text import Text

    from nserbench.cli.common.tables import table

    conditions = dict.fromkeys(str(one.names["condition"]) for one in entries)
    found = table("upstream", "downstream", *conditions)
    for head in dict.fromkeys(_head(one) for one in entries):
        mine = [one for one in entries if _head(one) == head]
        marks = [_mark(mine, condition) for condition in conditions]
        found.add_row(*map(Text, head), *marks)
    return found


def _head(entry: ResultEntry) -> tuple[str, str]:
    return str(entry.names["upstream"]), str(entry.names["downstream"])


def _mark(entries: Sequence[ResultEntry], condition: str) -> str:
    statuses = [one.status for one in entries if one.names["condition"] == condition]
    if not statuses:
        return "missing"
    if set(statuses) == {"done"}:
        return "done" if len(statuses) == 1 else f"done x {len(statuses)}"
    return ", ".join(dict.fromkeys(statuses))
