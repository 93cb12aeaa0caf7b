"""``nserbench plan``: the estimated cost of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.api.session import Session
from nserbench.cli.common.options import (
    StudyMaker,
    device_option,
    grid_options,
    json_option,
    on_option,
    results_option,
    store_option,
)
from nserbench.cli.common.plan_lines import cheaper_lines, doubts
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import (
    counted,
    duration,
    free_bytes,
    size,
)

if TYPE_CHECKING:
    from nserbench.benchmark.running.cost import CostEstimate, ExtractionPass


@click.command()
@grid_options
@device_option
@on_option
@results_option
@store_option
@json_option
@with_session
def plan(
    session: Session,
    grid: StudyMaker,
    out: Path | None,
    store_folder: Path | None,
    device: str,
    on: str | None,
    as_json: bool,
) -> None:
    """Estimate the time and disk space that a run needs.

    It takes the options of `nserbench run`, but stores no features and trains no head.
    The times are those of this machine while nothing else runs on it. They come from
    samples, which take half a minute at most besides loading the models, and less for a
    small run: up to 16 clips for each upstream, and some epochs on up to 16 batches for
    each head. What several blocks of a grid file read is counted once. The column
    `search` says whether the upstream transcribes, which takes long. With --on the sum
    is that of one worker, and a line below says how long all workers take together;
    those of a cluster count as if they were as fast as this machine.

    \b
    nserbench plan -u mel,whisper -d mean,ladapter -c emodb,emodb-park
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.jobs.prepare import prepare_studies
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.cost import Planner, together
    from nserbench.benchmark.running.executors import WorkerCount, count_workers
    from nserbench.benchmark.running.stopwatch import Stopwatch, threads_of_worker
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.benchmark.study.cell import not_applicable

    settings = session.settings.using(results=out, store=store_folder)
    studies, store = grid(session.plugins, settings), Store(settings.store)
    device = choose_device(device)
    workers = WorkerCount(None, None)
    if on is not None:
        workers = count_workers(on, settings.cluster, device)
    with show_progress() as progress, threads_of_worker(workers.threads):
        prepared = prepare_studies(studies, store, progress)
        watch = Stopwatch(device)
        planner = Planner(store, settings.results, watch, progress, workers.count)
        cost = together(planner.estimate(prepared))
    free = free_bytes(settings.store)
    if as_json:
        told = {"free": free, "load": planner.watch.load, "rough": planner.small}
        told |= {"workers": planner.workers, "elapsed": planner.elapsed}
        told |= {"cheaper": [asdict(one) for one in planner.cheaper]}
        click.echo(json.dumps({**asdict(cost), **told}, indent=1))
        return
    for study in studies:
        for line in not_applicable(study.cells):
            click.echo(line)
    _print(cost)
    if planner.workers is not None:
        click.echo(
            f"with --on {on}, {counted(planner.workers, 'worker')} at once: about "
            f"{duration(planner.elapsed)}"
        )
    for line in (*doubts(planner), *cheaper_lines(planner)):
        click.echo(line)
    _compare_disk(cost.features + cost.weights, free, settings.store)


def _print(cost: CostEstimate) -> None:
    if cost.passes:
        print_tables([_table(cost.passes)])
        click.echo()
    click.echo(
        f"cells: {cost.missing} to run, {cost.there} already there, "
        f"{len(cost.refused)} not applicable\n"
        f"feature extraction: {size(cost.features)}, {duration(cost.extraction)}\n"
        + (f"fine-tuning: {duration(cost.tuning)}\n" if cost.tuning else "")
        + f"training of heads: {size(cost.weights)}, {duration(cost.training)}\n"
        f"total: about {duration(cost.seconds)}"
    )


def _compare_disk(needed: float, free: int, store: Path) -> None:
    """Warn if features and weights will not fit on the disk of the store."""
    if needed > free:
        click.echo(
            f"warning: {store} has {size(free)} free, and features and weights need "
            f"{size(needed)}\n"
            "  free disk space, set --store to a larger disk, use heads on pooled "
            "features, or run fewer conditions at a time",
            err=True,
        )


def _table(passes: Sequence[ExtractionPass]) -> TextTable:
    headers = (
        *("upstream", "corpus", "condition", "clips", "features", "search"),
        *("size", "time"),
    )
    rows = [
        (
            item.upstream,
            item.corpus,
            item.condition,
            str(item.utterances),
            " + ".join(item.forms),
            "yes" if item.transcribes else "no",
            size(item.size),
            duration(item.seconds),
        )
        for item in passes
    ]
    return TextTable("features to extract", headers, rows)
