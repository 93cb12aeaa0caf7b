"""``nserbench experiment``: run and report the experiments of the paper."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nserbench.api.session import Session, open_runner
from nserbench.cli.common.again import typed_again
from nserbench.cli.common.click_groups import shows_traceback
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.experiment_lines import cell_lines, problem_lines
from nserbench.cli.common.number_types import Count, SnrList
from nserbench.cli.common.options import (
    device_option,
    dry_run_option,
    names_option,
    on_option,
    results_option,
    store_limit_option,
    store_option,
    training_options,
    verify_option,
    wer_against_option,
)
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.plan_lines import doubts
from nserbench.cli.common.session import Command, with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import duration, size
from nserbench.option_values import at_least

if TYPE_CHECKING:
    from nserbench.benchmark.experiments.catalogue import Experiment
    from nserbench.benchmark.experiments.run import BlockProblem
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.benchmark.jobs.prepare import PreparedStudy
    from nserbench.benchmark.results.result import Outcome
    from nserbench.benchmark.running.cost import CostEstimate
    from nserbench.benchmark.study.grid_file import Overrides
    from nserbench.benchmark.study.request import Request
    from nserbench.benchmark.study.study import Study
    from nserbench.leaderboard.report.source import ReportData

T = TypeVar("T")

_PAIRS = re.compile(r",(?=[^,=]+=)")
"""The commas between pairs ``NAME=CHECKPOINT``; a path may have commas, too."""


@dataclass(frozen=True, slots=True)
class ExperimentRequest:
    """The part of an experiment to run, and how to run it.

    Attributes:
        overrides: The settings of the command line, which replace those of the blocks.
    """

    experiment: Experiment
    overrides: Overrides
    session: Session
    device: str

    def each_block(
        self, act: Callable[[Request], T]
    ) -> tuple[list[tuple[str, T]], list[BlockProblem]]:
        """Return the results of ``act`` for each block, and the blocks that failed.

        An error in one part of a block does not stop the other parts.
        """
        from nserbench.benchmark.experiments.run import run_apart

        done, problems = [], []
        plugins = self.session.plugins
        for name, request in self.experiment.grid.requests(self.overrides, plugins):
            results, failed = run_apart(name, request, act)
            done += [(name, result) for result in results]
            problems += failed
        return done, problems

    def study(self, request: Request) -> Study:
        """Return the study of a block, with all its names looked up."""
        from nserbench.benchmark.study.study import make_study

        return make_study(request, self.session.plugins, self.session.settings)


class HeadEpochs(click.ParamType[tuple[tuple[str, int], ...]]):
    """Numbers of epochs, each for all heads or, as ``HEAD=N``, for one head."""

    name = "epochs"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, int], ...]:
        """Return each head, empty for all heads, and its number."""
        pairs = [text.rpartition("=") for text in str(value).split(",")]
        try:
            return tuple((head, at_least(1)(number)) for head, _, number in pairs)
        except ValueError:
            self.fail(f"{value!r} is not N or HEAD=N with N at least 1", param, ctx)


def override_options(command: Command) -> Command:
    """Add the options that replace settings of every block, passed as ``overrides``."""

    @names_option(
        *("-c", "--corpus", "corpora"),
        shell_complete=names_of("corpora"),
        help="Corpora to use instead of the experiment's; its noises are kept.",
    )
    @click.option(
        "--snr",
        "snrs",
        type=SnrList(),
        multiple=True,
        metavar="DB",
        help="SNRs to use instead of the experiment's, such as 0,-5.",
    )
    @click.option(
        "--epochs",
        type=HeadEpochs(),
        multiple=True,
        metavar="[HEAD=]N",
        help="Number of epochs instead of the protocol's, for all heads or for HEAD.",
    )
    @training_options
    @click.option(
        *("--checkpoint", "checkpoints"),
        multiple=True,
        metavar="NAME=CHECKPOINT",
        help="Checkpoint for the upstream or enhancer NAME instead of its own.",
    )
    @functools.wraps(command)
    def wrapped(**rest: Any) -> object:
        return command(overrides=_overrides(rest), **rest)

    return wrapped


def _overrides(rest: dict[str, Any]) -> Overrides:
    from nserbench.benchmark.study.grid_file import Overrides
    from nserbench.benchmark.study.request import SETTINGS

    epochs = _once(chain.from_iterable(rest.pop("epochs")), "--epochs")
    texts = [one for text in rest.pop("checkpoints") for one in _PAIRS.split(text)]
    checkpoints = _once(map(_checkpoint, texts), "--checkpoint")
    rest["snrs"] = tuple(chain.from_iterable(rest["snrs"]))
    typed = {name: rest.pop(name) for name in SETTINGS if name in rest}
    typed["epochs"] = epochs.pop("", None)
    settings = {name: value for name, value in typed.items() if value}
    return Overrides(settings, epochs, checkpoints)


def _once(pairs: Iterable[tuple[str, T]], option: str) -> dict[str, T]:
    """Return pairs as a mapping; refuse two different values for one name."""
    values: dict[str, T] = {}
    for name, value in pairs:
        if values.setdefault(name, value) != value:
            target = f" for {name}" if name else ""
            raise click.BadParameter(
                f"both {values[name]} and {value} are given{target}: leave one out",
                param_hint=option,
            )
    return values


def _checkpoint(text: str) -> tuple[str, str]:
    name, _, checkpoint = text.partition("=")
    if not (name and checkpoint):
        raise click.BadParameter(
            f"{text!r} is not NAME=CHECKPOINT, such as whisper=openai/whisper-tiny",
            param_hint="--checkpoint",
        )
    return name, checkpoint


@click.command()
@click.argument("number", type=Count(), shell_complete=names_of("experiments", ""))
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Run only these blocks or rows, such as HSF or 'SSL: WavLM (FT)'.",
)
@override_options
@device_option
@on_option
@results_option
@store_option
@store_limit_option
@verify_option
@dry_run_option
@click.option("--plan", is_flag=True, help="Print the estimated cost and stop.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="Format of the report.",
)
@click.option(
    "--figures",
    type=UserPath(file_okay=False),
    metavar="FOLDER",
    help="Also draw the figures of the report into this folder.",
)
@wer_against_option
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
    store_limit: int | None,
    verify: bool,
    dry_run: bool,
    plan: bool,
    form: str,
    figures: Path | None,
    against: Against,
) -> None:
    """Run one of the seven experiments of the paper.

    `nserbench list experiments` prints them. Cells that have a result are not run
    again. The report has the rows and columns of the paper's table. Each number has its
    95 % interval and the paper's number next to it; a missing number has the reason.

    If a corpus or package is missing, only the rows that need it are skipped. The exit
    code is 1 if anything is missing or failed.

    \b
    nserbench experiment 2 -c emodb --plan
    """
    from nserbench.benchmark.experiments.catalogue import read_experiment
    from nserbench.leaderboard.report.source import ReportData

    session = session.using(results=out, store=store_folder)
    chosen = read_experiment(number).only(only)
    request = ExperimentRequest(chosen, overrides, session, device)
    data = ReportData(
        chosen, overrides, session.plugins, session.settings.results, against=against
    )
    data.check()
    if dry_run or plan:
        _finish((_print_cells if dry_run else _print_costs)(request))
        return
    outcomes, problems = _run(request, on, verify, store_limit)
    _print_report(replace(data, problems=problems), form, figures)
    _finish(problems, outcomes["failed"])


def _run(
    experiment: ExperimentRequest, on: str | None, verify: bool, limit: int | None
) -> tuple[Counter[Outcome], list[BlockProblem]]:
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.jobs.prepare import prepare_study
    from nserbench.benchmark.study.cell import not_applicable

    with (
        show_progress() as progress,
        open_runner(
            experiment.session,
            experiment.device,
            progress,
            on,
            verify=verify,
            limit=limit,
            traceback=shows_traceback(click.get_current_context()),
        ) as runner,
    ):

        def act(request: Request) -> PreparedStudy:
            study = experiment.study(request)
            for line in not_applicable(study.cells):
                progress.note(line)
            return prepare_study(study, runner.store, progress)

        done, problems = experiment.each_block(act)
        outcomes = runner.run_prepared([prepared for _, prepared in done]).outcomes
    return outcomes, problems


def _print_cells(experiment: ExperimentRequest) -> list[BlockProblem]:
    from nserbench.benchmark.study.cell import not_applicable

    done, problems = experiment.each_block(experiment.study)
    cells = [cell for _, study in done for cell in study.cells]
    for line in (*cell_lines(cells), *not_applicable(cells)):
        click.echo(line)
    return problems


def _print_costs(experiment: ExperimentRequest) -> list[BlockProblem]:
    """Print the estimated cost of each block, and return the problems.

    A pass that two blocks share is counted in the first.
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.jobs.prepare import prepare_study
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.cost import Planner
    from nserbench.benchmark.running.stopwatch import Stopwatch
    from nserbench.benchmark.store.feature_store import Store

    settings = experiment.session.settings
    with show_progress() as progress:
        store = Store(settings.store)

        def act(request: Request) -> PreparedStudy:
            return prepare_study(experiment.study(request), store, progress)

        planned, problems = experiment.each_block(act)
        names, studies = [name for name, _ in planned], [one for _, one in planned]
        device = choose_device(experiment.device)
        watch = Stopwatch(device)
        planner = Planner(store, settings.results, watch, progress)
        costs = planner.estimate(studies)
    print_tables([_costs(list(zip(names, costs, strict=True)))])
    click.echo("a pass over audio that two blocks share is counted in the first")
    for line in doubts(planner):
        click.echo(line)
    return problems


def _costs(done: Sequence[tuple[str, CostEstimate]]) -> TextTable:
    headers = "block", "to run", "done", "n/a", "size", "extract", "fine-tune", "train"
    rows, cells = [(name, _columns(cost)) for name, cost in done], []
    total = [sum(column) for column in zip(*(row for _, row in rows), strict=True)]
    for name, row in [*rows, *([("total", total)] if total else [])]:
        counts, bytes_, seconds = row[:3], row[3], row[4:]
        texts = (*(f"{count:.0f}" for count in counts), size(bytes_))
        cells.append((name, *texts, *map(duration, seconds)))
    return TextTable("blocks", headers, cells)


def _columns(cost: CostEstimate) -> Sequence[float]:
    """Return three counts of cells, then bytes, then three times in seconds."""
    return (
        cost.missing,
        cost.there,
        len(cost.refused),
        cost.features + cost.weights,
        cost.extraction,
        cost.tuning,
        cost.training,
    )


def _print_report(data: ReportData, form: str, figures: Path | None) -> None:
    from rich.console import Console

    from nserbench.leaderboard.report.render import print_report, to_markdown
    from nserbench.leaderboard.report.report import make_report

    report = make_report(data)
    if form == "markdown":
        click.echo(to_markdown(report), nl=False)
    else:
        print_report(report, Console())
    if figures is not None:
        from nserbench.leaderboard.report.drawings import draw_report

        drawn = list(draw_report(data, figures))
        if not drawn:
            click.echo("this experiment has tables alone, and no figure", err=True)
        for file, problem in drawn:
            text = f"not written: {file}: {problem}" if problem else f"written: {file}"
            click.echo(text, err=True)


def _finish(problems: Sequence[BlockProblem], failed: int = 0) -> None:
    """Print why blocks were not run; exit with 1 if anything was missing or failed."""
    for line in problem_lines(problems):
        click.echo(line, err=True)
    if failed:
        click.echo(f"to try the failed cells again:\n  {typed_again()}", err=True)
    if failed or not all(problem.impossible for problem in problems):
        raise SystemExit(1)
