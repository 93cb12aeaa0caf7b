"""``nserbench check``: whether a plugin keeps its contract."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import device_option, json_option
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.checks.upstream_contract import ContractReport

_WORDS = {True: "yes", False: "NO", None: "-"}


@click.group()
def check() -> None:
    """Try whether a plugin does what its card says."""


@check.command("upstream")
@click.argument("name", metavar="NAME[:OPTIONS]")
@device_option
@json_option
@with_session
def upstream(session: Session, name: str, device: str, as_json: bool) -> None:
    """Load an upstream, let it hear three clips, and check what it gives.

    Shapes against its card, frames against the audio, independence of batch mates,
    determinism, finite values, gradients where it can be fine-tuned, transcripts
    where it writes some; and how fast it is. The exit code is 1 if a check fails.

    \b
    nserbench check upstream whisper:checkpoint=openai/whisper-tiny
    """
    from nserbench.benchmark.checks.upstream_contract import check_upstream
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.study.lookup import read_upstreams
    from nserbench.errors import BadSpec

    found = read_upstreams([name], session.plugins)
    if len(found) != 1:
        raise BadSpec(f"one upstream is checked at a time, {name!r} names {len(found)}")
    (bound,) = found
    report = check_upstream(bound, choose_device(device))
    if as_json:
        click.echo(json.dumps(asdict(report), indent=1))
    else:
        _print(bound.label, report)
    if not report.passed:
        raise SystemExit(1)


def _print(label: str, report: ContractReport) -> None:
    from nserbench.cli.common.tables import print_tables
    from nserbench.cli.common.text import size

    print_tables([(label, _table(report))])
    speed = "no audio" if report.realtime is None else f"{report.realtime:.3f}"
    click.echo(
        f"\nreal-time factor: {speed} (seconds of computing per second of audio)\n"
        f"parameters: {report.parameters:,}\n"
        f"peak memory of this process: {size(report.memory)}"
    )


def _table(report: ContractReport) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table("check", "holds", "seen")
    for one in report.findings:
        found.add_row(one.check, _WORDS[one.passed], Text(one.detail))
    return found
