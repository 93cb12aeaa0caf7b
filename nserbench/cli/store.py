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
from nserbench.cli.common.text import counted, size, total_bytes

if TYPE_CHECKING:
    from nserbench.benchmark.store.feature_store import Features
    from nserbench.settings import Settings

DIGITS = 10
"""Digits of a digest that are printed; `--json` has all of them."""


@click.group()
def store() -> None:
    """List or delete stored features and trained heads."""


@store.command("ls")
@store_option
@json_option
@with_settings
def ls(settings: Settings, store_folder: Path | None, as_json: bool) -> None:
    """List stored features by upstream and condition, with their size."""
    from nserbench.benchmark.store.disk_sizes import folder_bytes

    store = open_store(settings, store_folder)
    rows = [_row(features) for features in store.all_features()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if rows:
        print_tables([_table(rows)])
        click.echo()
    parts = {
        "features": sum(row["bytes"] for row in rows),
        "trained heads": total_bytes(store.fits()),
        "fine-tuned upstreams": total_bytes(store.tuned()),
    }
    whole = folder_bytes(store.root)
    others = max(whole - sum(parts.values()), 0)
    click.echo(", ".join(f"{name}: {size(count)}" for name, count in parts.items()))
    click.echo(f"other files, such as the demo corpus: {size(others)}")
    click.echo(f"{size(whole)} on disk, in {store.root}")


def _row(features: Features) -> dict[str, Any]:
    return {
        "digest": features.folder.name,
        "upstream": features.label("upstream"),
        "condition": features.label("condition"),
        "pooled": len(features.keys("pooled")),
        "frames": len(features.keys("frames")),
        "frames_int8": len(features.keys("frames_int8")),
        "transcripts": len(features.keys("transcripts")),
        "bytes": features.size,
    }


def _table(rows: Sequence[dict[str, Any]]) -> TextTable:
    """Return the rows as a table; frames of 8 bits only where there are some."""
    columns = list(rows[0])[:-1]
    if not any(row["frames_int8"] for row in rows):
        columns.remove("frames_int8")
    cells = []
    for row in rows:
        digest, *counts = (str(row[name]) for name in columns)
        cells.append((digest[:DIGITS], *counts, size(row["bytes"])))
    return TextTable("features", (*columns, "size"), cells)


@store.command("prune")
@click.option(
    "--frames", is_flag=True, help="Delete features of frames; keep pooled features."
)
@click.option("--heads", is_flag=True, help="Delete weights of trained heads.")
@click.option(
    "--finetuned", is_flag=True, help="Delete weights of fine-tuned upstreams."
)
@click.option(
    "--upstream",
    metavar="LABEL",
    help="Delete all features of this upstream, named as in `nserbench store ls`.",
)
@click.option("--all", "everything", is_flag=True, help="Delete all of these.")
@click.option("--yes", is_flag=True, help="Delete; without it only sizes are printed.")
@store_option
@with_settings
def prune(
    settings: Settings,
    store_folder: Path | None,
    frames: bool,
    heads: bool,
    finetuned: bool,
    upstream: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Delete stored features, trained heads or fine-tuned upstreams.

    Results are kept, and so is what a running command uses. What a later run needs is
    computed again.

    \b
    nserbench store prune --frames --heads
    """
    if not (frames or heads or finetuned or upstream or everything):
        raise click.UsageError(
            "choose what to delete: --frames, --heads, --finetuned, --upstream or --all"
        )
    store = open_store(settings, store_folder)
    labels = {features.label("upstream") for features in store.all_features()}
    chosen = labels if everything else _known(upstream, labels, store.root)
    files = [
        file
        for features in store.all_features()
        for file in _files(features, frames, features.label("upstream") in chosen)
    ]
    files += store.fits() if heads or everything else []
    files += store.tuned() if finetuned or everything else []
    files += store.damaged() if everything else []
    files = _not_in_use(files, store.root)
    total = f"{counted(len(files), 'file')}, {size(total_bytes(files))}"
    if not yes:
        click.echo(f"{total}: add --yes to delete them")
        return
    for file in files:
        file.unlink(missing_ok=True)
    click.echo(f"deleted {total}")


def _not_in_use(files: list[Path], root: Path) -> list[Path]:
    """Return the files that no running command uses; print which commands do."""
    from nserbench.benchmark.store.leases import living_leases

    leases = living_leases(root)
    used = {file for file in files if any(one.covers(file, root) for one in leases)}
    if used:
        holders = "; ".join(sorted(one.holder for one in leases))
        click.echo(
            f"{counted(len(used), 'file')} in use by a running command are kept "
            f"({holders})",
            err=True,
        )
    return [file for file in files if file not in used]


def _known(upstream: str | None, labels: set[str], root: Path) -> set[str]:
    from nserbench.errors import UnknownName

    if upstream is None:
        return set()
    if upstream not in labels:
        raise UnknownName("upstream", upstream, labels, f"looked in {root}")
    return {upstream}


def _files(features: Features, frames: bool, everything: bool) -> list[Path]:
    from nserbench.benchmark.store.feature_store import ABOUT, FORMS, FRAME_FORMS

    forms = FORMS if everything else FRAME_FORMS if frames else ()
    files = [file for form in forms for file in features.shards(form)]
    return [*files, features.folder / ABOUT] if everything else files
