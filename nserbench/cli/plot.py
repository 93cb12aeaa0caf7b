"""``nserbench plot``: figures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.completion import names_of
from nserbench.cli.common.number_types import Number
from nserbench.cli.common.options import names_option, out_option, wer_against_option
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_settings
from nserbench.cli.common.text import wrapped

if TYPE_CHECKING:
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.settings import Settings

FIGURES = ("layers", "snr", "confusion", "wer", "pareto", "weights", "ranks")


@click.command()
@click.argument("figure", type=click.Choice(FIGURES))
@click.argument("folder", type=UserPath(), required=False)
@out_option("FILE", "File for the figure: .pdf, .svg or .png; default: FIGURE.pdf.")
@names_option(
    "-u",
    "--upstream",
    "upstreams",
    shell_complete=names_of("upstreams"),
    help="Only these upstreams.",
)
@names_option(
    "-d",
    "--downstream",
    "heads",
    shell_complete=names_of("downstreams"),
    help="Only these heads.",
)
@names_option(
    "-c",
    "--corpus",
    "corpora",
    shell_complete=names_of("corpora"),
    help="Only these corpora.",
)
@names_option(
    "--noise",
    "noises",
    shell_complete=names_of("noises"),
    help="Only these noises, such as clean or park@5.",
)
@names_option(
    "--protocol",
    "protocols",
    shell_complete=names_of("protocols"),
    help="Only these protocols, by their full names.",
)
@click.option(
    "--metric",
    default="f1",
    show_default=True,
    metavar="NAME",
    help="Metric: uar, f1 (macro), f1_weighted or accuracy.",
)
@click.option(
    "--width",
    type=Number(2, 20),
    default=3.4,
    show_default=True,
    metavar="INCHES",
    help="Width of the figure: 3.4 fits one column of a paper, 7 fits two.",
)
@click.option(
    "--heatmap", is_flag=True, help="For `layers`: draw a heat map in place of curves."
)
@wer_against_option
@with_settings
def plot(
    settings: Settings,
    figure: str,
    folder: Path | None,
    out: Path | None,
    metric: str,
    width: float,
    heatmap: bool,
    against: Against,
    **selection: tuple[str, ...],
) -> None:
    """Draw a figure for a paper.

    FOLDER holds results; default: `results`. Every number is computed from predictions,
    as in the leaderboard. Bands and bars are 95 % intervals. The options -u, -d, -c,
    --noise and --protocol restrict the figure to some results; `-u whisper` includes
    all checkpoints of Whisper. Each corpus and protocol gets its own panels.

    \b
    layers      the metric for each layer of an upstream
    snr         the metric against the SNR
    confusion   confusion matrices
    wer         the metric against the word error rate, with Pearson's r
    pareto      the metric against the computing time
    weights     the layer weights that heads have learned
    ranks       mean ranks, with bars that join rows without a significant difference

    \b
    nserbench plot snr -u whisper,mel -d weighted-sum --noise park -o fig.pdf
    """
    from nserbench.leaderboard.plots.choose_results import choose
    from nserbench.leaderboard.plots.make import FigureData, caption_lines, make_figure
    from nserbench.leaderboard.plots.style import refuse_other_kinds, save
    from nserbench.leaderboard.tables.summary import read_metrics, summary_table

    file = out or Path(f"{figure}.pdf")
    refuse_other_kinds(file)
    metrics = read_metrics(metric)
    if len(metrics) > 1:
        raise click.BadParameter("give one metric", param_hint="--metric")
    root = folder or settings.results
    table = choose(summary_table(root, metrics), **selection)
    for line in table.left_out:
        click.echo(wrapped(line), err=True)
    data = FigureData(root, table, metrics[0], width, heatmap, against)
    save(make_figure(figure, data), file)
    for line in caption_lines(figure, data):
        click.echo(wrapped(line))
    click.echo(f"written: {file}")
