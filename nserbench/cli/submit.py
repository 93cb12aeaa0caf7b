"""``nserbench submit``: write results as a bundle for a board."""

from __future__ import annotations

from pathlib import Path

import click

from nserbench.api.session import Session
from nserbench.cli.common.options import Option, out_option
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_session
from nserbench.cli.common.text import counted


def _pairs(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Split each text at an equals sign: a corpus may have options, an address too."""
    split = str.rpartition if param.name == "licences" else str.partition
    pairs = [split(text, "=") for text in texts]
    if wrong := [text for text in pairs if not (text[0] and text[2])]:
        raise click.BadParameter(f"{wrong[0][2]!r} is not {param.metavar}")
    return {name: said for name, _, said in pairs}


def _pairs_option(flag: str, name: str, metavar: str, summary: str) -> Option:
    return click.option(
        flag, name, multiple=True, metavar=metavar, callback=_pairs, help=summary
    )


@click.command("submit")
@click.argument("results", type=UserPath())
@out_option("BUNDLE", "Folder of the bundle, which must not exist.", required=True)
@click.option("--name", required=True, help="Who sends it: a person or a lab.")
@click.option("--contact", default="", help="An address for questions.")
@click.option(
    "--note", default="", help="Anything else, such as where your own noises are."
)
@click.option(
    "--commit",
    default="",
    help="Commit of nserbench, for results of an installed package.",
)
@_pairs_option(
    "--licence",
    "licences",
    "CORPUS=LICENCE",
    "Licence of your own corpus, if it allows to publish ids, speakers and labels.",
)
@_pairs_option(
    "--code",
    "code",
    "PLUGIN=ADDRESS",
    "Where the code of a plugin is, if its package does not say.",
)
@with_session
def submit(
    session: Session,
    results: Path,
    out: Path,
    name: str,
    contact: str,
    note: str,
    commit: str,
    licences: dict[str, str],
    code: dict[str, str],
) -> None:
    """Write finished results as a bundle, to send them to a board.

    Every result is checked: digests, metrics, protocol, code version. If one cannot be
    published, nothing is written, and all problems are listed. Where the licence of a
    corpus does not allow to publish ids and labels, predictions are written as counts.

    \b
    nserbench submit results -o board/my-lab --name "My lab"
    nserbench check board
    """
    from nserbench.leaderboard.sharing.submit import Sender
    from nserbench.leaderboard.sharing.submit import submit as write_bundle

    sender = Sender(
        name=name,
        contact=contact,
        note=note,
        commit=commit,
        licences=licences,
        code=code,
    )
    sent = write_bundle(results, out, sender, session.plugins)
    click.echo(f"{counted(len(sent.bundle.submissions), 'result')} in {out}")
    for corpus in sent.without_ids:
        click.echo(
            f"{corpus}: counts without ids, probabilities and speakers, since nothing "
            "says that its licence allows more"
        )
    if sent.left_out:
        click.echo(f"left out: {counted(sent.left_out, 'result')} without a score")
    click.echo("next: put it into the folder `board`, and run `nserbench check board`")
