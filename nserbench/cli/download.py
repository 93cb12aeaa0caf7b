"""``nserbench download``: download corpora and noises that are free."""

from __future__ import annotations

from pathlib import Path

import click

from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import out_option
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import size
from nserbench.errors import NserbenchError, UnknownName


@click.command()
@click.argument("name", required=False, shell_complete=names_of("downloads", ""))
@out_option(
    "FOLDER",
    "Folder to unpack into; NAME gets its own folder in it.",
    default=Path("data"),
    show_default=True,
)
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
def download(name: str | None, out: Path, yes: bool) -> None:
    """Download a corpus or noise that needs no registration.

    Without NAME, all of them are listed. The licence is printed, and you must accept it
    first. Where a checksum is published, it is checked, and an interrupted download
    continues where it stopped.

    \b
    nserbench download emodb
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.corpora.tools.download import download as fetch
    from nserbench.corpora.tools.download_sources import SOURCES

    if name is None:
        _list()
        return
    if name not in SOURCES:
        raise UnknownName(
            "download",
            name,
            SOURCES,
            "for all other corpora see `nserbench list corpora`",
        )
    source = SOURCES[name]
    click.echo(
        f"{source.summary}\n  from {source.page}\n  licence: {source.licence}\n"
        f"  {size(source.bytes)}, {size(source.unpacked)} when unpacked, "
        f"into {out / name}\n  checksum published by {source.digests}",
        err=True,
    )
    if not yes and not click.confirm("Do you accept the licence?", err=True):
        raise NserbenchError(
            f"{name} was not downloaded: you did not accept its licence"
        )
    with show_progress() as progress:
        folder = fetch(source, out, progress)
    click.echo(f'add under [paths] in nserbench.toml:\n{name} = "{folder.resolve()}"')


def _list() -> None:
    from nserbench.corpora.tools.download_sources import SOURCES

    rows = (
        (name, size(source.bytes), source.licence, source.summary)
        for name, source in SOURCES.items()
    )
    headers = ("name", "size", "licence", "summary")
    print_tables([TextTable("downloads", headers, rows)])
