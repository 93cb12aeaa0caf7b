"""``nserbench store``: what the feature store holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.cli.common.options import json_option, store_option
from nserbench.cli.common.session import open_store, with_settings
from nserbench.cli.common.text import bytes_of, size
from nserbench.cli.prune import prune

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.store.feature_store import Features
    from nserbench.settings import Settings

DIGITS = 10
"""Of a digest, as in the names of result folders; `--json` has it whole."""


@click.group()
def store() -> None:
    """List or prune features and fitted heads."""


store.add_command(prune)


@store.command("ls")
@store_option
@json_option
@with_settings
def ls(settings: Settings, store_folder: Path | None, as_json: bool) -> None:
    """List the features by upstream and condition, with their size."""
    from nserbench.cli.common.tables import print_tables

    opened = open_store(settings, store_folder)
    rows = [_row(one) for one in opened.all_features()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if rows:
        print_tables([("features", _table(rows))])
        click.echo()
    click.echo(
        f"features: {size(sum(row['bytes'] for row in rows))}, "
        f"fitted heads: {size(bytes_of(opened.fits()))}, "
        f"tuned upstreams: {size(bytes_of(opened.tuned()))}\nin {opened.root}"
    )


def _row(features: Features) -> dict[str, Any]:
    return {
        "digest": features.folder.name,
        "upstream": features.about["upstream"],
        "condition": features.about["condition"],
        "pooled": len(features.keys("pooled")),
        "frames": len(features.keys("frames")),
        "transcripts": len(features.keys("transcripts")),
        "bytes": features.size,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table(*list(rows[0])[:-1], "size")
    for row in rows:
        digest, *names, count = row.values()
        found.add_row(digest[:DIGITS], *map(Text, map(str, names)), size(count))
    return found
