"""``nserbench check``: check that a plugin keeps its contract, or a board is sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.api.session import Session
from nserbench.cli.common.options import device_option, json_option, names_option
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import counted, size

if TYPE_CHECKING:
    from nserbench.benchmark.checks.contract import ContractFinding
    from nserbench.benchmark.checks.upstream_contract import ContractReport
    from nserbench.cards import ConfiguredCard
    from nserbench.upstreams.base import UpstreamCard
    from nserbench.upstreams.groups import Groups

_WORDS = {True: "yes", False: "NO", None: "-"}
name_argument = click.argument("name", metavar="NAME[:OPTIONS]")


@click.group()
def check() -> None:
    """Check a plugin, or a board of submitted results.

    An upstream, a head, a corpus, a noise or an enhancer is loaded and tried. The exit
    code is 1 if a check fails.
    """


@check.command("upstream")
@name_argument
@device_option
@json_option
@with_session
def check_one_upstream(session: Session, name: str, device: str, as_json: bool) -> None:
    """Load an upstream, run it on three clips, and check its output.

    Checked are the declared layers and sizes, the number of frames, that a clip does
    not depend on the others in its batch, that two runs agree, that values are finite,
    gradients (if it can be fine-tuned), transcripts (if it makes some) and losses of
    its own (if it learns from clean twins). The speed is measured. The exit code is 1
    if a check fails.

    \b
    nserbench check upstream whisper:checkpoint=openai/whisper-tiny
    """
    from nserbench.benchmark.checks.upstream_contract import check_upstream
    from nserbench.benchmark.results.environment import choose_device

    upstream = _upstream(session, name)
    report = check_upstream(upstream, choose_device(device))
    if as_json:
        click.echo(json.dumps(asdict(report), indent=1))
    else:
        print_tables([_table(upstream.label, report.findings)])
        _print_measured(report)
    if not report.passed:
        raise SystemExit(1)


@check.command("downstream")
@name_argument
@names_option(
    *("-u", "--upstream", "upstreams"),
    help="Take the layers of this upstream; default: made-up ones of three kinds.",
)
@json_option
@with_session
def check_one_downstream(
    session: Session, name: str, upstreams: tuple[str, ...], as_json: bool
) -> None:
    """Build a head, run it on random features, and check its logits.

    Checked are their shape, that an utterance does not depend on the others in its
    batch or on padding, that the features are not changed, that the same seed gives the
    same head, and the gradients. A head that its card declares not applicable to some
    layers passes.

    \b
    nserbench check downstream ladapter -u whisper
    """
    from nserbench.benchmark.checks.downstream_contract import SHAPES, check_downstream
    from nserbench.spec import parse_spec

    head = session.plugins.downstreams.bind(parse_spec(name), session.plugins.bind)
    shapes = dict(_groups(session, one) for one in upstreams) or SHAPES
    found = {
        f"{head.label} on {shape}": check_downstream(head, groups)
        for shape, groups in shapes.items()
    }
    _report(found, as_json)


@check.command("corpus")
@name_argument
@json_option
@with_session
def check_one_corpus(session: Session, name: str, as_json: bool) -> None:
    """Read a corpus several times, and check its labels, ids, folds and files.

    Checked are that each class has utterances, that ids, labels, speakers and folds are
    the same when it is read again or its folder is moved, that no speaker is in both
    training and test set, and that each file is there. `nserbench doctor` checks the
    data themselves: counts, texts and audio.

    \b
    nserbench check corpus emodb
    """
    from nserbench.benchmark.checks.data_contract import check_corpus
    from nserbench.spec import parse_spec

    corpus = session.plugins.corpora.bind(parse_spec(name))
    _report({corpus.label: check_corpus(corpus, session.settings)}, as_json)


@check.command("noise")
@click.argument("name")
@json_option
@with_session
def check_one_noise(session: Session, name: str, as_json: bool) -> None:
    """Check that a noise has sound, and is the same file each time.

    \b
    nserbench check noise pink
    """
    from nserbench.benchmark.checks.data_contract import check_noise

    found = check_noise(name, session.plugins, session.settings)
    _report({name: found}, as_json)


@check.command("enhancer")
@name_argument
@device_option
@json_option
@with_session
def check_one_enhancer(session: Session, name: str, device: str, as_json: bool) -> None:
    """Load an enhancer, run it on three clips, and check its output.

    Checked are the number of samples, that all are finite and not all silent, that two
    runs agree, and that the clip is not changed.

    \b
    nserbench check enhancer dccrn
    """
    from nserbench.benchmark.checks.data_contract import check_enhancer
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.spec import parse_spec

    enhancer = session.plugins.enhancers.bind(parse_spec(name), session.plugins.bind)
    _report({enhancer.label: check_enhancer(enhancer, choose_device(device))}, as_json)


@check.command("board")
@click.argument("folder", type=UserPath(), default="board")
@with_session
def check_one_board(session: Session, folder: Path) -> None:
    """Check bundles that `nserbench submit` wrote: a folder of them, or one bundle.

    Every metric is computed again from the predictions. Checked are also the digests,
    licences, names and sizes of all files, and that all results can be compared. Unless
    another folder is named, it is `board`.

    \b
    nserbench check board
    nserbench check board board/my-lab
    """
    from nserbench.leaderboard.sharing.board import check_board

    report = check_board(folder, session.plugins)
    bundles = counted(len(report.bundles), "bundle")
    click.echo(f"{bundles} with {counted(report.results, 'result')}: no problems")


def _upstream(session: Session, name: str) -> ConfiguredCard[UpstreamCard]:
    """Look up one upstream.

    Raises:
        BadSpec: if the name stands for several.
    """
    from nserbench.benchmark.study.name_lookup import read_upstreams
    from nserbench.errors import BadSpec

    upstreams = read_upstreams([name], session.plugins)
    if len(upstreams) != 1:
        raise BadSpec(f"{name!r} has {len(upstreams)} upstreams: check one at a time")
    return upstreams[0]


def _groups(session: Session, name: str) -> tuple[str, Groups]:
    """Return the label of an upstream and its groups."""
    upstream = _upstream(session, name)
    return upstream.label, upstream.card.describe(upstream.options).groups


def _report(found: Mapping[str, list[ContractFinding]], as_json: bool) -> None:
    """Print findings by title; exit with 1 if a check failed."""
    from nserbench.benchmark.checks.contract import all_passed

    if as_json:
        rows = {title: [asdict(one) for one in every] for title, every in found.items()}
        click.echo(json.dumps(rows, indent=1))
    else:
        print_tables([_table(title, every) for title, every in found.items()])
    if not all(map(all_passed, found.values())):
        raise SystemExit(1)


def _table(title: str, findings: list[ContractFinding]) -> TextTable:
    rows = [(one.check, _WORDS[one.passed], one.detail) for one in findings]
    return TextTable(title, ("check", "passed", "detail"), rows)


def _print_measured(report: ContractReport) -> None:
    speed = memory = "not measured"
    if report.memory is not None:
        memory = size(report.memory)
    if report.realtime is not None:
        speed = f"{report.realtime:.3f} (seconds of computation per second of audio)"
    click.echo(
        f"\nreal-time factor: {speed}\n"
        f"parameters: {report.parameters:,}\n"
        f"peak memory of this process: {memory}"
    )
