"""``nserbench check``: check that a plugin matches its declaration."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nserbench.api.session import Session
from nserbench.cli.common.options import device_option, json_option
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import size

if TYPE_CHECKING:
    from nserbench.benchmark.checks.upstream_contract import ContractReport

_WORDS = {True: "yes", False: "NO", None: "-"}


@click.group()
def check() -> None:
    """Check that a plugin matches its declaration."""


@check.command("upstream")
@click.argument("name", metavar="NAME[:OPTIONS]")
@device_option
@json_option
@with_session
def check_one(session: Session, name: str, device: str, as_json: bool) -> None:
    """Load an upstream, run it on three clips, and check its output.

    Checked are the declared layers and sizes, the number of frames, that a clip does
    not depend on the others in its batch, that two runs agree, that values are finite,
    gradients (if it can be fine-tuned) and transcripts (if it makes some). The speed is
    measured. The exit code is 1 if a check fails.

    \b
    nserbench check upstream whisper:checkpoint=openai/whisper-tiny
    """
    from nserbench.benchmark.checks.upstream_contract import check_upstream
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.study.name_lookup import read_upstreams
    from nserbench.errors import BadSpec

    upstreams = read_upstreams([name], session.plugins)
    if len(upstreams) != 1:
        raise BadSpec(f"{name!r} has {len(upstreams)} upstreams: check one at a time")
    (upstream,) = upstreams
    report = check_upstream(upstream, choose_device(device))
    if as_json:
        click.echo(json.dumps(asdict(report), indent=1))
    else:
        _print(upstream.label, report)
    if not report.passed:
        raise SystemExit(1)


def _print(label: str, report: ContractReport) -> None:
    rows = (
        (finding.check, _WORDS[finding.passed], finding.detail)
        for finding in report.findings
    )
    print_tables([TextTable(label, ("check", "passed", "detail"), rows)])
    speed = "no audio" if report.realtime is None else f"{report.realtime:.3f}"
    click.echo(
        f"\nreal-time factor: {speed} (seconds of computation per second of audio)\n"
        f"parameters: {report.parameters:,}\n"
        f"peak memory of this process: {size(report.memory)}"
    )
