"""``nserbench download``: corpora and noises that can be had freely."""

from __future__ import annotations

from pathlib import Path

import click

from nserbench.errors import NserbenchError, UnknownName


@click.command()
@click.argument("name", required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    metavar="FOLDER",
    help="Where to unpack; NAME gets a folder in it.",
)
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
def download(name: str | None, out: Path, yes: bool) -> None:
    """Fetch a corpus or noise that needs no form, or list them.

    The licence is shown, and is to be accepted first. Digests are checked where they
    are published; then an interrupted transfer goes on where it stopped.

    \b
    nserbench download emodb
    """
    from nserbench.cli.common.progress_bars import showing
    from nserbench.cli.common.text import size
    from nserbench.corpora.tools.download import download as fetch
    from nserbench.corpora.tools.download_sources import SOURCES

    if name is None:
        _list()
        return
    if name not in SOURCES:
        raise UnknownName(
            "download", name, SOURCES, "`nserbench list corpora` says how to get others"
        )
    source = SOURCES[name]
    click.echo(
        f"{source.summary}\n  from {source.page}\n  licence: {source.licence}\n"
        f"  {size(source.bytes)}, {size(source.unpacked)} when unpacked, "
        f"into {out / name}\n  digest published by {source.digests}",
        err=True,
    )
    if not yes and not click.confirm("Do you accept the licence?", err=True):
        raise NserbenchError(f"{name} is not fetched: its licence is not accepted")
    with showing() as progress:
        folder = fetch(source, out, progress)
    click.echo(f'under [paths] in nserbench.toml:\n{name} = "{folder.resolve()}"')


def _list() -> None:
    from rich.text import Text

    from nserbench.cli.common.tables import print_tables, table
    from nserbench.cli.common.text import size
    from nserbench.corpora.tools.download_sources import SOURCES

    found = table("name", "size", "licence", "what")
    for name, one in SOURCES.items():
        found.add_row(name, size(one.bytes), Text(one.licence), Text(one.summary))
    print_tables([("downloads", found)])
