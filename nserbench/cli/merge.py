"""``nserbench leaderboard merge``: join results of several labs in one folder."""

from __future__ import annotations

from pathlib import Path

import click

from nserbench.cli.common.options import out_option


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=click.Path(path_type=Path),
)
@out_option(
    "FOLDER",
    "Folder for the joined results; results already in it are joined as well.",
    required=True,
)
@click.option(
    "--separate",
    is_flag=True,
    help="Put results that are not comparable into separate folders apart-1, ...",
)
def merge(folders: tuple[Path, ...], out: Path, separate: bool) -> None:
    """Join the results of several labs if they are comparable.

    Metrics are computed again from the predictions. Results are comparable if audio,
    utterances, labels, folds, noise, protocol and weights are the same. If not, nothing
    is written, and the differences are listed.
    """
    from nserbench.cli.common.text import counted
    from nserbench.leaderboard.sharing.merge import merge as merge_folders

    report = merge_folders(folders, out, separate=separate)
    for line in report.recomputed:
        click.echo(f"computed again: {line}")
    for line in report.apart:
        click.echo(f"separated: {line}")
    for folder, number in report.written.items():
        click.echo(f"{counted(number, 'new result')} in {folder}")
    click.echo(f"to compare: `nserbench leaderboard {out}`")
