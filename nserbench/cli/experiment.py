"""``nserbench experiment``: the experiments of the paper, run and reported."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nserbench.cli.common.options import (
    SnrList,
    device_option,
    on_option,
    out_option,
    store_option,
    training_options,
    words_option,
)
from nserbench.cli.common.session import Session, open_runner, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.experiments.catalogue import Experiment
    from nserbench.benchmark.experiments.run import BlockProblem
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.benchmark.running.cost import CostEstimate
    from nserbench.benchmark.study.grid_file import Overrides
    from nserbench.benchmark.study.study import Request, Study
    from nserbench.leaderboard.report.source import ReportData

T = TypeVar("T")
Command = Callable[..., object]


@dataclass(frozen=True, slots=True)
class ExperimentRequest:
    """What was asked for.

    Attributes:
        whole: The experiment.
        chosen: The part of it to run.
        overrides: What the command line sets.
        session: The settings and plugins.
        device: Where to compute.
    """

    whole: Experiment
    chosen: Experiment
    overrides: Overrides
    session: Session
    device: str

    def each_block(
        self, act: Callable[[Request], T]
    ) -> tuple[list[tuple[str, T]], list[BlockProblem]]:
        """Act on each block; what is missing for one part stops no other."""
        from nserbench.benchmark.experiments.run import run_apart

        done, troubles = [], []
        plugins = self.session.plugins
        for name, request in self.chosen.grid.requests(self.overrides, plugins):
            found, missing = run_apart(name, request, act)
            done += [(name, one) for one in found]
            troubles += missing
        return done, troubles

    def study(self, request: Request) -> Study:
        """Look everything up that a block names."""
        from nserbench.benchmark.study.study import make_study

        return make_study(request, self.session.plugins, self.session.settings)


class HeadEpochs(click.ParamType[tuple[str, int]]):
    """A number of epochs, and before it perhaps the head that it is for."""

    name = "epochs"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Give the head, empty for all, and the number."""
        head, _, number = str(value).rpartition("=")
        if not number.isdecimal() or int(number) < 1:
            self.fail(f"{value!r} is not N or HEAD=N, N from 1 up", param, ctx)
        return head, int(number)


def override_options(command: Command) -> Command:
    """Add what replaces the settings of every block; the command gets ``overrides``."""

    @click.option(
        "-c",
        "--corpus",
        "corpora",
        multiple=True,
        metavar="NAME",
        help="Corpora in place of the file's; its noises are kept.",
    )
    @click.option(
        "--snr",
        "snrs",
        type=SnrList(),
        metavar="DB",
        help="Levels in place of the file's, such as 0,-5.",
    )
    @click.option(
        "--epochs",
        type=HeadEpochs(),
        multiple=True,
        metavar="[HEAD=]N",
        help="In place of the protocol's, for all heads or this one.",
    )
    @training_options
    @click.option(
        "--checkpoint",
        "checkpoints",
        multiple=True,
        metavar="NAME=WHERE",
        help="Other weights for an upstream or enhancer, wherever they are loaded.",
    )
    @functools.wraps(command)
    def wrapped(**rest: Any) -> object:
        return command(overrides=_overrides(rest), **rest)

    return wrapped


def _overrides(rest: dict[str, Any]) -> Overrides:
    from nserbench.benchmark.study.grid_file import Overrides

    epochs = dict(rest.pop("epochs"))
    return Overrides(
        corpora=rest.pop("corpora") or None,
        snrs=rest.pop("snrs"),
        protocol=rest.pop("protocol"),
        epochs=epochs.pop("", None),
        head_epochs=epochs,
        limit=rest.pop("limit"),
        seeds=rest.pop("seeds"),
        checkpoints=dict(map(_checkpoint, rest.pop("checkpoints"))),
    )


def _checkpoint(text: str) -> tuple[str, str]:
    name, equals, where = text.partition("=")
    if not (name and equals and where):
        raise click.BadParameter(
            f"{text!r} is not NAME=WHERE, such as whisper=openai/whisper-tiny",
            param_hint="--checkpoint",
        )
    return name, where


@click.command()
@click.argument("number", type=int)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="A block or row of it, such as HSF or 'SSL: WavLM (FT)'.",
)
@override_options
@device_option
@on_option
@out_option
@store_option
@click.option("--dry-run", is_flag=True, help="Print the cells and stop.")
@click.option("--plan", is_flag=True, help="Tell what it would cost and stop.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="Of the report.",
)
@click.option(
    "-o",
    "figures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Draw the figures into a folder, too.",
)
@words_option
@with_session
def experiment(
    session: Session,
    number: int,
    only: tuple[str, ...],
    overrides: Overrides,
    device: str,
    on: str | None,
    out: Path | None,
    store_folder: Path | None,
    dry_run: bool,
    plan: bool,
    form: str,
    figures: Path | None,
    against: Against,
) -> None:
    """Run one of the paper's seven experiments, and report it.

    `nserbench list experiments` has them. What has a result already is not run again.
    The report has the rows and columns of the paper's table, our numbers with their
    intervals, the paper's beside them, and for what is not there the reason.

    What is missing for a row, such as a corpus or a package, stops no other row. The
    exit code is 1 if anything was missing or failed, and 0 if some cells only cannot
    exist.

    \b
    nserbench experiment 2 -c emodb --checkpoint whisper=openai/whisper-tiny --plan
    """
    from nserbench.benchmark.experiments.catalogue import read_experiment
    from nserbench.leaderboard.report.source import ReportData

    settings = session.settings.using(results=out, store=store_folder)
    whole = read_experiment(number)
    own = Session(settings, session.plugins)
    wanted = ExperimentRequest(whole, whole.only(only), overrides, own, device)
    ReportData(whole, overrides, session.plugins, settings.results).check()
    if dry_run or plan:
        _finish((_print_cells if dry_run else _print_costs)(wanted))
        return
    outcomes, troubles = _run(wanted, on)
    source = ReportData(
        whole, overrides, session.plugins, settings.results, troubles, against
    )
    _print_report(source, form, figures)
    _finish(troubles, outcomes["failed"])


def _run(
    wanted: ExperimentRequest, on: str | None
) -> tuple[Counter[str], list[BlockProblem]]:
    """Run what is missing, block by block."""
    from nserbench.cli.common.progress_bars import showing
    from nserbench.cli.common.text import refusals

    with (
        showing() as progress,
        open_runner(wanted.session, wanted.device, progress, on) as runner,
    ):

        def act(request: Request) -> Counter[str]:
            study = wanted.study(request)
            for line in refusals(study.cells):
                progress.note(line)
            return runner.run(study).outcomes

        done, troubles = wanted.each_block(act)
    return sum((outcomes for _, outcomes in done), Counter()), troubles


def _print_cells(wanted: ExperimentRequest) -> list[BlockProblem]:
    done, troubles = wanted.each_block(wanted.study)
    for _, study in done:
        for cell in study.cells:
            reason = f": not applicable, {cell.refused}" if cell.refused else ""
            click.echo(f"{cell}{reason}")
    return troubles


def _print_costs(wanted: ExperimentRequest) -> list[BlockProblem]:
    """Print what each block would cost.

    Features that two blocks share are counted in both, until one of them has run.
    """
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.cost import estimate
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.cli.common.progress_bars import showing
    from nserbench.cli.common.tables import print_tables

    settings = wanted.session.settings
    with showing() as progress:

        def act(request: Request) -> CostEstimate:
            study = wanted.study(request)
            store, device = Store(settings.store), choose_device(wanted.device)
            return estimate(study, store, settings.results, device, progress)

        done, troubles = wanted.each_block(act)
    print_tables([("blocks", _costs(done))])
    click.echo("features that two blocks share are counted in both")
    return troubles


def _costs(done: Sequence[tuple[str, CostEstimate]]) -> Table:
    from nserbench.cli.common.tables import table
    from nserbench.cli.common.text import duration, size

    found = table(
        "block", "to run", "there", "n/a", "size", "extraction", "tuning", "training"
    )
    rows = [(name, _sums(one)) for name, one in done]
    together = [sum(each) for each in zip(*(sums for _, sums in rows), strict=True)]
    for name, sums in [*rows, *([("together", together)] if together else [])]:
        counts, seconds = sums[:3], sums[4:]
        found.add_row(
            name,
            *(f"{count:.0f}" for count in counts),
            size(sums[3]),
            *map(duration, seconds),
        )
    return found


def _sums(found: CostEstimate) -> Sequence[float]:
    """Give counts of cells, bytes, and seconds, as columns."""
    return (
        found.missing,
        found.there,
        len(found.refused),
        sum(one.size for one in found.passes),
        sum(one.seconds for one in found.passes),
        found.tuning,
        found.training,
    )


def _print_report(source: ReportData, form: str, figures: Path | None) -> None:
    from rich.console import Console

    from nserbench.leaderboard.report.render import print_report, to_markdown
    from nserbench.leaderboard.report.report import make_report

    report = make_report(source)
    if form == "markdown":
        click.echo(to_markdown(report), nl=False)
    else:
        print_report(report, Console())
    if figures is not None:
        from nserbench.leaderboard.report.drawings import draw_report

        for file, problem in draw_report(source, figures):
            click.echo(f"{file}: {problem or 'drawn'}", err=True)


def _finish(troubles: Sequence[BlockProblem], failed: int = 0) -> None:
    """Say what could not be run, and end with 1 if something was missing or failed."""
    reasons: dict[tuple[bool, str], list[str]] = {}
    for one in troubles:
        reasons.setdefault((one.impossible, one.reason), []).append(str(one))
    for (impossible, reason), parts in reasons.items():
        what = "not applicable" if impossible else "missing"
        click.echo(f"{what}: {'; '.join(dict.fromkeys(parts))}: {reason}", err=True)
    if failed or not all(one.impossible for one in troubles):
        raise SystemExit(1)
