"""``nserbench show``: one cell whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import out_option
from nserbench.cli.common.session import with_settings
from nserbench.leaderboard.render.numbers import percent

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.results.predictions import Predictions
    from nserbench.benchmark.results.result import Result
    from nserbench.settings import Settings

SHOWN = 6
"""Values of a list that are printed; `--json` has them all."""


@click.command()
@click.argument("cell")
@out_option
@click.option("--json", "as_json", is_flag=True, help="Print its result.json.")
@with_settings
def show(settings: Settings, cell: str, out: Path | None, as_json: bool) -> None:
    """Show one cell whole: scores, confusions, costs, provenance.

    CELL is its folder, or the beginning of its digest as `nserbench status --json`
    prints it.
    """
    from nserbench.benchmark.results.index import find_result
    from nserbench.benchmark.results.result import RESULT, read_result
    from nserbench.cli.common.tables import print_tables

    folder = find_result(cell, out or settings.results)
    if as_json:
        click.echo((folder / RESULT).read_text(encoding="utf-8"), nl=False)
        return
    result = read_result(folder)
    click.echo(
        f"{result.upstream} x {result.downstream} x {result.corpus} {result.condition}"
        f"\nprotocol {result.protocol}, seed {result.seed}\ndigest {result.digest}"
        f"\n{result.status}{': ' + result.reason if result.reason else ''}\n"
    )
    print_tables(_tables(result))


def _tables(result: Result) -> Iterator[tuple[str, Table]]:
    if result.predictions is not None:
        yield "scores in percent", _scores(result.predictions)
        yield "confusions", _confusions(result.predictions)
    for name in ("recognition", "protocol_details", "costs", "provenance", "notes"):
        if facts := getattr(result, name):
            yield name.replace("_", " "), _facts(facts)


def _scores(found: Predictions) -> Table:
    from nserbench.benchmark.results.metrics import summarise
    from nserbench.cli.common.tables import table

    summaries = summarise(found)
    folds = next(iter(summaries.values())).folds
    names = [f"fold {fold}" for fold in folds]
    scores = table(
        "metric", "score", "95 %", "chance", "mean of folds", "pooled", *names
    )
    for name, one in summaries.items():
        interval = (
            "" if one.low is None else f"{_percent(one.low)} to {_percent(one.high)}"
        )
        each = map(_percent, one.folds.values())
        values = one.chance, one.mean, one.pooled
        scores.add_row(
            name, _percent(one.value), interval, *map(_percent, values), *each
        )
    return scores


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else percent(fraction)


def _confusions(found: Predictions) -> Table:
    from rich.text import Text

    from nserbench.benchmark.results.metrics import confusion
    from nserbench.cli.common.tables import table

    counts = table("true \\ predicted", *found.classes)
    matrix = confusion(found.labels, found.predicted, len(found.classes))
    for name, row in zip(found.classes, matrix.tolist(), strict=True):
        counts.add_row(Text(name), *map(str, row))
    return counts


def _facts(facts: Mapping[str, object]) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table("", "")
    found.show_header = False
    found.columns[0].no_wrap = True
    for name, value in facts.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        lines = [f"{key}: {_said(one)}".lstrip(": ") for key, one in inner.items()]
        found.add_row(Text(name.replace("_", " ")), Text("\n".join(lines)))
    return found


def _said(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Mapping():
            return ", ".join(f"{key} {_said(one)}" for key, one in value.items())
        case list():
            more = f" ... ({len(value)} in all)" if len(value) > SHOWN else ""
            return (", ".join(map(_said, value[:SHOWN])) or "none") + more
    return str(value)
