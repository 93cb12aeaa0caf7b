"""``nserbench leaderboard``: the table of all results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.session import with_settings

if TYPE_CHECKING:
    from nserbench.settings import Settings


@click.command("leaderboard")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "csv", "json"]),
    default="table",
    show_default=True,
    help="Tables are in percent; csv and json hold fractions of 1.",
)
@click.option(
    "--metric",
    default="uar,f1",
    show_default=True,
    metavar="NAME[,NAME...]",
    help="Of uar, f1 (macro), f1_weighted and accuracy.",
)
@with_settings
def leaderboard(
    settings: Settings, folder: Path | None, form: str, metric: str
) -> None:
    """Compare the upstreams and heads that have results.

    FOLDER is `results` unless set. Every number is computed from predictions: mean of
    folds and seeds, with 95 % intervals by bootstrap over speakers. The best of each
    column is in bold.
    """
    from rich.console import Console

    from nserbench.leaderboard import render
    from nserbench.leaderboard.table import read_metrics, summary_table

    metrics = read_metrics(metric)
    table = summary_table(folder or settings.results, metrics)
    if form == "table":
        render.print_table(table, Console())
    elif form == "markdown":
        click.echo(render.to_markdown(table), nl=False)
    elif form == "csv":
        click.echo(render.to_csv(table), nl=False)
    else:
        click.echo(render.to_json(table), nl=False)
