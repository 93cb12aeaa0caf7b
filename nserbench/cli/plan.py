"""``nserbench plan``: what a grid would cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import (
    GridRequest,
    device_option,
    grid_options,
    json_option,
    out_option,
    store_option,
)
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.running.cost import CostEstimate, ExtractionPass


@click.command()
@grid_options
@device_option
@out_option
@store_option
@json_option
@with_session
def plan(
    session: Session,
    asked: GridRequest,
    out: Path | None,
    store_folder: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Tell what a run would do, and what it would cost.

    It takes the options of `nserbench run`. Nothing is extracted or trained. Times
    come from one clip through each upstream and one training step of each head on
    this machine, so they are rough.

    \b
    nserbench plan -u mel,whisper -d mean,ladapter -c emodb,emodb-park
    """
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.cost import estimate, together
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.cli.common.progress_bars import showing
    from nserbench.cli.common.text import refusals

    settings = session.settings.using(results=out, store=store_folder)
    studies, store = asked.studies(session.plugins, settings), Store(settings.store)
    on = choose_device(device)
    with showing() as progress:
        found = together(
            [
                estimate(study, store, settings.results, on, progress)
                for study in studies
            ]
        )
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    for study in studies:
        for line in refusals(study.cells):
            click.echo(line)
    _print(found)


def _print(found: CostEstimate) -> None:
    from nserbench.cli.common.tables import print_tables
    from nserbench.cli.common.text import duration, size

    if found.passes:
        print_tables([("upstream passes", _table(found.passes))])
        click.echo()
    extraction = sum(one.seconds for one in found.passes)
    click.echo(
        f"cells: {found.missing} to run, {found.there} there already, "
        f"{len(found.refused)} not applicable\n"
        f"upstream passes: {len(found.passes)}, "
        f"{size(sum(one.size for one in found.passes))}, {duration(extraction)}\n"
        + (f"tuning: {duration(found.tuning)}\n" if found.tuning else "")
        + f"training: {duration(found.training)}\n"
        f"together: about {duration(extraction + found.tuning + found.training)}"
    )


def _table(passes: Sequence[ExtractionPass]) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table
    from nserbench.cli.common.text import duration, size

    found = table("upstream", "corpus", "condition", "clips", "forms", "size", "time")
    for one in passes:
        found.add_row(
            Text(one.upstream),
            Text(one.corpus),
            Text(one.condition),
            str(one.utterances),
            " + ".join(one.forms),
            size(one.size),
            duration(one.seconds),
        )
    return found
