"""``nserbench status``: which cells have a result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_settings
from nserbench.cli.common.tables import TextTable, print_tables

if TYPE_CHECKING:
    from nserbench.benchmark.results.index import ResultEntry
    from nserbench.benchmark.results.result import Status
    from nserbench.settings import Settings


@click.command()
@click.argument("folder", type=UserPath(), required=False)
@json_option
@with_settings
def status(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Print which cells have a result and which are missing.

    FOLDER holds results; default: `results`. For each corpus and protocol, the table
    has a row for each upstream and head and a column for each condition with a result;
    a cell without a result is missing.
    """
    from nserbench.benchmark.results.index import read_entries

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


def _tables(entries: Sequence[ResultEntry]) -> Iterator[TextTable]:
    """Yield a table for each corpus and protocol, with a column for each condition."""
    groups: dict[str, dict[tuple[str, str], dict[str, list[Status]]]] = {}
    conditions: dict[str, dict[str, None]] = {}
    for entry in entries:
        cell = entry.cell
        title, row = (
            f"{cell.corpus} ({cell.protocol})",
            (cell.upstream, cell.downstream),
        )
        conditions.setdefault(title, {})[cell.condition] = None
        statuses = groups.setdefault(title, {}).setdefault(row, {})
        statuses.setdefault(cell.condition, []).append(entry.status)
    for title, rows in groups.items():
        cells = [
            (*row, *(_status(statuses.get(name, ())) for name in conditions[title]))
            for row, statuses in rows.items()
        ]
        headers = "upstream", "downstream", *conditions[title]
        yield TextTable(title, headers, cells, keys=2)


def _status(statuses: Sequence[Status]) -> str:
    if not statuses:
        return "missing"
    if set(statuses) == {"done"}:
        return "done" if len(statuses) == 1 else f"done x {len(statuses)}"
    return ", ".join(dict.fromkeys(statuses))
