"""``nserbench doctor``: check the files of corpora and noises on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nserbench.api.session import Session
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables

if TYPE_CHECKING:
    from nserbench.corpora.tools.findings import CorpusFinding, CorpusReport

SHOWN = 5
"""Most file names printed for a finding; `--json` has all of them."""

_STYLES = {"green": "green", "yellow": "yellow", "red": "bold red"}


@click.command()
@click.argument(
    "names",
    metavar="[CORPUS|NOISE]...",
    nargs=-1,
    shell_complete=names_of("corpora or noises"),
)
@click.option("--deep", is_flag=True, help="Also decode the audio.")
@json_option
@with_session
def doctor(session: Session, names: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """Check that corpora and noises are complete and usable. Changes no file.

    Without names, it checks every corpus and noise that is set, and the noise
    collection DEMAND as `demand`. Counts are compared with the published ones. Audio
    headers show files that are missing, truncated, too long or too short. Speakers in
    both training and test set are reported. --deep also finds silence, odd levels,
    clipping, NaN and duplicates.

    Green: no problem. Yellow: worth knowing. Red: results would be wrong or impossible;
    the exit code is then 1.

    \b
    nserbench doctor iemocap demand --deep
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.checks.doctor import examine

    with show_progress() as progress:
        reports = list(
            examine(names, session.plugins, session.settings, deep, progress)
        )
    if as_json:
        rows = [{**asdict(report), "severity": report.severity} for report in reports]
        click.echo(json.dumps(rows, indent=1))
    else:
        print_tables(map(_table, reports))
    if any(report.severity == "red" for report in reports):
        raise SystemExit(1)


def _table(report: CorpusReport) -> TextTable:
    from rich.text import Text

    rows = [
        (one.check, Text(one.severity, style=_STYLES[one.severity]), _detail(one))
        for one in report.findings
    ]
    title = f"{report.name}: {report.severity}"
    return TextTable(title, ("check", "state", "detail"), rows)


def _detail(finding: CorpusFinding) -> str:
    more = len(finding.names) - SHOWN
    rest = [f"and {more} more (--json has all)"] if more > 0 else []
    return "\n".join([finding.detail, *finding.names[:SHOWN], *rest])
