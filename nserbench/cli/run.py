"""``nserbench run``: extract features, train heads and test them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.api.running import evaluate
from nserbench.api.session import Session
from nserbench.cli.common.again import typed_again
from nserbench.cli.common.click_groups import shows_traceback
from nserbench.cli.common.options import (
    StudyMaker,
    device_option,
    dry_run_option,
    grid_options,
    json_option,
    on_option,
    results_option,
    store_limit_option,
    store_option,
    verify_option,
)
from nserbench.cli.common.session import with_session
from nserbench.cli.common.text import cell_line

if TYPE_CHECKING:
    from nserbench.benchmark.results.result import Outcome
    from nserbench.benchmark.running.runner import RunReport
    from nserbench.benchmark.study.cell import Cell

OUTCOMES: tuple[Outcome, ...] = (
    "done",
    "already there",
    "failed",
    "not applicable",
    "deleted",
)


@click.command()
@grid_options
@device_option
@on_option
@results_option
@store_option
@store_limit_option
@verify_option
@dry_run_option
@json_option
@with_session
def run(
    session: Session,
    grid: StudyMaker,
    out: Path | None,
    store_folder: Path | None,
    store_limit: int | None,
    device: str,
    on: str | None,
    verify: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train and test all cells of a grid that have no result yet.

    The grid is every upstream with every head on every corpus. `nserbench list` prints
    the names. A name may have options, as in single:layer=3. Separate several names by
    commas, or repeat the option. With --grid a TOML file defines the grid, and -c,
    --snr, --protocol, --epochs, --seeds and --limit replace what the file sets.

    All names, options and files are checked before the first model is loaded. After an
    interruption, the same command computes only the missing cells. The exit code is 1
    if a cell failed.

    \b
    nserbench run -u mel -d mean,bigru -c demo,demo-human --snr 0,5
    """
    from nserbench.api.progress_bars import show_progress

    session = session.using(results=out, store=store_folder)
    studies = grid(session.plugins, session.settings)
    if dry_run:
        _print_cells([cell for study in studies for cell in study.cells], as_json)
        return
    with show_progress() as progress:
        report = evaluate(
            *(studies, session, progress, device, on),
            verify=verify,
            limit=store_limit,
            traceback=shows_traceback(click.get_current_context()),
        )
    _print_report(report, session.settings.results, as_json)
    if report.outcomes["failed"] or report.outcomes["deleted"]:
        raise SystemExit(1)


def _print_cells(cells: Sequence[Cell], as_json: bool) -> None:
    if as_json:
        rows = [{"cell": str(cell), "not applicable": cell.refused} for cell in cells]
        click.echo(json.dumps(rows, indent=1))
        return
    for cell in cells:
        click.echo(cell_line(cell))


def _print_report(report: RunReport, results: Path, as_json: bool) -> None:
    outcomes = {name: n for name in OUTCOMES if (n := report.outcomes[name])}
    if as_json:
        folders = [str(folder) for folder in report.folders]
        click.echo(json.dumps({"outcomes": outcomes, "results": folders}, indent=1))
        return
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    idle = not {"done", "failed"} & set(outcomes)
    click.echo(f"{'nothing to run' if idle else 'cells'}: {counts}")
    if "failed" in outcomes:
        click.echo(f"to try the failed cells again:\n  {typed_again()}")
    if "deleted" in outcomes:
        click.echo(f"to run what was deleted:\n  {typed_again()}")
    see = shlex.join(["nserbench", "leaderboard", str(results)])
    click.echo(f"to see the results: `{see}`")
