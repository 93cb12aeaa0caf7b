"""``nserbench leaderboard merge``: the results of several labs in one folder."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=click.Path(path_type=Path),
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the joined results go; what it holds already takes part.",
)
@click.option(
    "--separate",
    is_flag=True,
    help="Keep results that do not compare, in folders apart-1, ... of their own.",
)
def merge(folders: tuple[Path, ...], out: Path, separate: bool) -> None:
    """Join the results of several labs, if they compare.

    Metrics are computed again from predictions. Results compare if they are of the
    same audio, utterances, labels, folds, noise, protocol and weights; otherwise
    nothing is written, and a list says why.
    """
    from nserbench.cli.common.text import counted
    from nserbench.leaderboard.sharing.merge import merge as merged

    found = merged(folders, out, separate=separate)
    for line in found.recomputed:
        click.echo(f"computed again: {line}")
    for line in found.apart:
        click.echo(f"apart: {line}")
    for folder, number in found.written.items():
        click.echo(f"{counted(number, 'new result')} in {folder}")
    click.echo(f"to compare: `nserbench leaderboard {out}`")
