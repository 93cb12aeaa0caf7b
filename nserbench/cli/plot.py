"""``nserbench plot``: figures for papers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import words_option
from nserbench.cli.common.session import with_settings

if TYPE_CHECKING:
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.settings import Settings

FIGURES = ("layers", "snr", "confusion", "wer", "pareto", "weights")


@click.command()
@click.argument("figure", type=click.Choice(FIGURES))
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its ending is .pdf, .svg or .png; FIGURE.pdf unless given.",
)
@click.option("-u", "--upstream", "upstreams", multiple=True, metavar="NAME")
@click.option("-d", "--downstream", "heads", multiple=True, metavar="NAME")
@click.option("-c", "--corpus", "corpora", multiple=True, metavar="NAME")
@click.option(
    "--noise",
    "noises",
    multiple=True,
    metavar="NAME",
    help="`clean` is one.",
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME",
    help="Such as paper, which is not paper+oracle.",
)
@click.option(
    "--metric",
    default="f1",
    show_default=True,
    metavar="NAME",
    help="One of uar, f1 (macro), f1_weighted and accuracy.",
)
@click.option(
    "--width",
    type=click.FloatRange(2, 20),
    default=3.4,
    show_default=True,
    metavar="INCHES",
    help="3.4 for one column of a paper, 7 for two.",
)
@click.option("--heatmap", is_flag=True, help="Draw layers as colours.")
@words_option
@with_settings
def plot(
    settings: Settings,
    figure: str,
    folder: Path | None,
    output: Path | None,
    upstreams: tuple[str, ...],
    heads: tuple[str, ...],
    corpora: tuple[str, ...],
    noises: tuple[str, ...],
    protocols: tuple[str, ...],
    metric: str,
    width: float,
    heatmap: bool,
    against: Against,
) -> None:
    """Draw a figure for a paper.

    FOLDER is `results` unless set. Every number is computed from predictions, as in
    the leaderboard; bands and bars are 95 % intervals. The options that name
    upstreams, heads, corpora, noises and protocols choose what is shown, which is all
    unless given; `whisper` stands for all its checkpoints. Each corpus and protocol
    has panels of its own.

    \b
    layers      a metric over the layers of each upstream
    snr         a metric over the SNR
    confusion   which class is taken for which
    wer         a metric over the word error rate, with Pearson's r
    pareto      a metric over the time it takes
    weights     how much each layer counts in a head that fuses them

    \b
    nserbench plot snr -u whisper,mel -d weighted-sum --noise park -o fig.pdf
    """
    from nserbench.leaderboard.plots.choose import choose
    from nserbench.leaderboard.plots.class_counts import refuse_other_kinds
    from nserbench.leaderboard.plots.make import FigureData, caption_lines, make_figure
    from nserbench.leaderboard.plots.style import save
    from nserbench.leaderboard.tables.summary import read_metrics, summary_table

    file = output or Path(f"{figure}.pdf")
    refuse_other_kinds(file)
    metrics = read_metrics(metric)
    if len(metrics) > 1:
        raise click.BadParameter("a figure shows one", param_hint="--metric")
    root = folder or settings.results
    table = choose(
        summary_table(root, metrics),
        upstreams=upstreams,
        heads=heads,
        corpora=corpora,
        noises=noises,
        protocols=protocols,
    )
    source = FigureData(root, table, metrics[0], width, heatmap, against)
    save(make_figure(figure, source), file)
    for line in caption_lines(figure, source):
        click.echo(_fitted(line))
    click.echo(f"{figure} is in {file}")


def _fitted(line: str) -> str:
    """Break a line at words where a terminal would break it anywhere."""
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return click.wrap_text(line, width, subsequent_indent="  ")
