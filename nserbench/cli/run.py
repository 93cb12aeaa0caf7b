"""``nserbench run``: evaluate a grid."""

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
    on_option,
    out_option,
    store_option,
)
from nserbench.cli.common.session import Session, open_runner, with_session

if TYPE_CHECKING:
    from nserbench.benchmark.running.runner import RunReport
    from nserbench.benchmark.study.cell import Cell
    from nserbench.benchmark.study.study import Study

OUTCOMES = ("done", "already there", "failed", "not applicable")


@click.command()
@grid_options
@device_option
@on_option
@out_option
@store_option
@click.option("--dry-run", is_flag=True, help="Print the cells and stop.")
@json_option
@with_session
def run(
    session: Session,
    asked: GridRequest,
    out: Path | None,
    store_folder: Path | None,
    device: str,
    on: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Evaluate the cells of a grid that have no result yet.

    The grid is every upstream under every head on every corpus. `nserbench list` has
    the names. A name may take options, as in single:layer=3. Put commas between
    several names, or give the option again. A file may say the same in blocks, with
    --grid; then -c, --snr, --protocol, --epochs, --seeds and --limit replace its own.

    Every name, option and file is looked up before the first model is loaded. After an
    interruption the same command does only what is missing. The exit code is 1 if a
    cell failed.

    \b
    nserbench run -u mel -d mean,bigru -c demo,demo-human --snr 0,5
    """
    settings = session.settings.using(results=out, store=store_folder)
    studies = asked.studies(session.plugins, settings)
    if dry_run:
        _print_cells([cell for study in studies for cell in study.cells], as_json)
        return
    report = _evaluate(studies, Session(settings, session.plugins), device, on)
    _print_report(report, settings.results, as_json)
    if report.outcomes["failed"]:
        raise SystemExit(1)


def _evaluate(
    studies: Sequence[Study], session: Session, device: str, on: str | None
) -> RunReport:
    from nserbench.benchmark.running.runner import RunReport
    from nserbench.cli.common.progress_bars import showing
    from nserbench.cli.common.text import refusals

    whole = RunReport()
    with (
        showing() as progress,
        open_runner(session, device, progress, on) as runner,
    ):
        for study in studies:
            for line in refusals(study.cells):
                progress.note(line)
            report = runner.run(study)
            whole.folders += report.folders
            whole.outcomes += report.outcomes
    return whole


def _print_cells(cells: Sequence[Cell], as_json: bool) -> None:
    if as_json:
        rows = [{"cell": str(c), "not applicable": c.refused} for c in cells]
        click.echo(json.dumps(rows, indent=1))
        return
    for cell in cells:
        reason = f": not applicable, {cell.refused}" if cell.refused else ""
        click.echo(f"{cell}{reason}")


def _print_report(report: RunReport, results: Path, as_json: bool) -> None:
    outcomes = {name: n for name in OUTCOMES if (n := report.outcomes[name])}
    if as_json:
        folders = [str(folder) for folder in report.folders]
        click.echo(json.dumps({"outcomes": outcomes, "results": folders}, indent=1))
        return
    told = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    idle = not {"done", "failed"} & set(outcomes)
    click.echo(f"nothing is missing: {told}" if idle else f"cells: {told}")
    if "failed" in outcomes:
        click.echo("the same command tries those that failed again")
    click.echo(f"results are in {results}: `nserbench leaderboard {results}`")
