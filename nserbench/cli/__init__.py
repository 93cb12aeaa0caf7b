"""The command line, one module for each command."""

from __future__ import annotations

import click

from nserbench.cli.check import check
from nserbench.cli.common.click_groups import Commands
from nserbench.cli.compare import compare
from nserbench.cli.completion import completion
from nserbench.cli.corpus import corpus
from nserbench.cli.doctor import doctor
from nserbench.cli.download import download
from nserbench.cli.experiment import experiment
from nserbench.cli.leaderboard import leaderboard
from nserbench.cli.list import list_
from nserbench.cli.mix import mix
from nserbench.cli.new_plugin import new_plugin
from nserbench.cli.plan import plan
from nserbench.cli.plot import plot
from nserbench.cli.run import run
from nserbench.cli.show import show
from nserbench.cli.status import status
from nserbench.cli.store import store
from nserbench.cli.submit import submit
from nserbench.cli.transcribe import transcribe


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nserbench")
@click.option(
    "--traceback",
    is_flag=True,
    help="Show the traceback of an error in a plugin, in a cell or in nserbench.",
)
def main(traceback: bool) -> None:
    """Benchmark speech emotion recognition in noise.

    A cell is one result: an upstream (a speech representation) with a head (which fuses
    its layers and classifies) on a corpus, clean or with added noise.

    \b
    nserbench list
    nserbench run -u mel -d mean,bigru -c demo,demo-park --snr 0,5
    nserbench leaderboard
    """


for command in (
    list_,
    plan,
    run,
    experiment,
    status,
    show,
    compare,
    leaderboard,
    submit,
    plot,
    mix,
    doctor,
    corpus,
    download,
    transcribe,
    check,
    new_plugin,
    store,
    completion,
):
    main.add_command(command)
