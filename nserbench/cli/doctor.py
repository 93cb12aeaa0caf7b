"""``nserbench doctor``: whether corpora are whole and sound on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.corpora.tools.findings import CorpusFinding, CorpusReport

SHOWN = 5
"""Names of a finding that are printed; `--json` has them all."""

_STYLES = {"green": "green", "yellow": "yellow", "red": "bold red"}


@click.command()
@click.argument("names", metavar="[CORPUS]...", nargs=-1)
@click.option("--deep", is_flag=True, help="Decode the audio, too.")
@json_option
@with_session
def doctor(session: Session, names: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """Look whether corpora are whole and sound; nothing is changed.

    Without names, every corpus whose folder is set, and DEMAND as `demand`. Counts are
    compared with the published ones; headers tell missing, cut-off, long and short
    files; speakers on both sides of a split are found. Decoding finds silence,
    clipping, NaN and copies.

    Green is well, yellow is worth knowing, red makes numbers wrong or none. The exit
    code is 1 if anything is red, else 0.

    \b
    nserbench doctor iemocap demand --deep
    """
    from nserbench.benchmark.checks.doctor import examine
    from nserbench.cli.common.progress_bars import showing

    with showing() as progress:
        reports = list(
            examine(names, session.plugins, session.settings, deep, progress)
        )
    if as_json:
        click.echo(json.dumps([_row(report) for report in reports], indent=1))
    else:
        _print(reports)
    if any(report.severity == "red" for report in reports):
        raise SystemExit(1)


def _row(report: CorpusReport) -> dict[str, Any]:
    return {**asdict(report), "severity": report.severity}


def _print(reports: list[CorpusReport]) -> None:
    from nserbench.cli.common.tables import print_tables

    print_tables([(f"{one.name}: {one.severity}", _table(one)) for one in reports])


def _table(report: CorpusReport) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table("check", "state", "seen")
    for one in report.findings:
        state = Text(one.severity, style=_STYLES[one.severity])
        found.add_row(one.check, state, Text(_said(one)))
    return found


def _said(finding: CorpusFinding) -> str:
    more = len(finding.names) - SHOWN
    rest = [f"and {more} more (--json has them)"] if more > 0 else []
    return "\n".join([finding.detail, *finding.names[:SHOWN], *rest])
