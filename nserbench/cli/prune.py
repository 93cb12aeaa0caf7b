"""``nserbench store prune``: room on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import store_option
from nserbench.cli.common.session import open_store, with_settings
from nserbench.cli.common.text import bytes_of, counted, size

if TYPE_CHECKING:
    from nserbench.benchmark.store.feature_store import Features
    from nserbench.settings import Settings


@click.command()
@click.option("--frames", is_flag=True, help="Frames; pooled features stay.")
@click.option("--fits", is_flag=True, help="Weights of fitted heads.")
@click.option("--tuned", is_flag=True, help="Weights of tuned upstreams.")
@click.option(
    "--upstream",
    metavar="LABEL",
    help="All features of an upstream, named as `nserbench store ls` names it.",
)
@click.option("--all", "everything", is_flag=True, help="All of these.")
@click.option("--yes", is_flag=True, help="Do it; without it only the size is told.")
@store_option
@with_settings
def prune(
    settings: Settings,
    store_folder: Path | None,
    frames: bool,
    fits: bool,
    tuned: bool,
    upstream: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Delete features, fitted heads or tuned upstreams. Results are never touched.

    What is deleted is made again when a run needs it.

    \b
    nserbench store prune --frames --fits
    """
    if not (frames or fits or tuned or upstream or everything):
        raise click.UsageError(
            "say what: --frames, --fits, --tuned, --upstream or --all"
        )
    opened = open_store(settings, store_folder)
    labels = {str(one.about["upstream"]) for one in opened.all_features()}
    whole = labels if everything else _known(upstream, labels, opened.root)
    files = [
        file
        for one in opened.all_features()
        for file in _files(one, frames, one.about["upstream"] in whole)
    ]
    files += opened.fits() if fits or everything else []
    files += opened.tuned() if tuned or everything else []
    told = f"{counted(len(files), 'file')}, {size(bytes_of(files))}"
    if not yes:
        click.echo(f"{told}: add --yes to delete them")
        return
    for file in files:
        file.unlink(missing_ok=True)
    click.echo(f"deleted {told}")


def _known(upstream: str | None, labels: set[str], root: Path) -> set[str]:
    from nserbench.errors import UnknownName

    if upstream is None:
        return set()
    if upstream not in labels:
        raise UnknownName("upstream", upstream, labels, f"looked in {root}")
    return {upstream}


def _files(features: Features, frames: bool, whole: bool) -> list[Path]:
    """Give what is to be deleted, so that what names the rest goes last."""
    from nserbench.benchmark.store.feature_store import ABOUT, FORMS

    if not whole:
        return features.shards("frames") if frames else []
    files = [file for form in FORMS for file in features.shards(form)]
    return [*files, features.folder / ABOUT]
