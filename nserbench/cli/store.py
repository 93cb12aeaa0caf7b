"""``nserbench store``: list and delete stored features and weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.cli.common.options import json_option, store_option
from nserbench.cli.common.session import open_store, with_settings
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import size, total_bytes
from nserbench.cli.prune import prune

if TYPE_CHECKING:
    from nserbench.benchmark.store.feature_store import Features
    from nserbench.settings import Settings

DIGITS = 10
"""Digits of a digest that are printed; `--json` has all of them."""


@click.group()
def store() -> None:
    """List or delete stored features and trained heads."""


store.add_command(prune)


@store.command("ls")
@store_option
@json_option
@with_settings
def ls(settings: Settings, store_folder: Path | None, as_json: bool) -> None:
    """List stored features by upstream and condition, with their size."""
    store = open_store(settings, store_folder)
    rows = [_row(features) for features in store.all_features()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if rows:
        print_tables([_table(rows)])
        click.echo()
    click.echo(
        f"features: {size(sum(row['bytes'] for row in rows))}, "
        f"trained heads: {size(total_bytes(store.fits()))}, "
        f"fine-tuned upstreams: {size(total_bytes(store.tuned()))}\nin {store.root}"
    )


def _row(features: Features) -> dict[str, Any]:
    return {
        "digest": features.folder.name,
        "upstream": features.label("upstream"),
        "condition": features.label("condition"),
        "pooled": len(features.keys("pooled")),
        "frames": len(features.keys("frames")),
        "transcripts": len(features.keys("transcripts")),
        "bytes": features.size,
    }


def _table(rows: Sequence[dict[str, Any]]) -> TextTable:
    cells = []
    for row in rows:
        digest, *names, count = row.values()
        cells.append((digest[:DIGITS], *map(str, names), size(count)))
    return TextTable("features", (*list(rows[0])[:-1], "size"), cells)
