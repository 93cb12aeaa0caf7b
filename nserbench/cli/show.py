"""``nserbench show``: all details of one cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_settings
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import duration, printable, size
from nserbench.leaderboard.render.numbers import percent

if TYPE_CHECKING:
    from nserbench.benchmark.results.counted import PredictionsOrCounts
    from nserbench.benchmark.results.result import Result
    from nserbench.settings import Settings

SHOWN = 6
"""Most values of a list that are printed; `--json` has all of them."""
LABELS = {
    "hours": "duration",
    "seconds": "all but feature extraction",
    "tuning_seconds": "fine-tuning",
}
"""Names of quantities that say too little without their unit."""
_UNITS: dict[str, Callable[[float], str]] = {
    "bytes": size,
    "hours": lambda hours: duration(3600 * hours),
    "seconds": duration,
}


@click.command()
@click.argument("cell")
@click.argument("folder", type=UserPath(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the file result.json.")
@with_settings
def show(settings: Settings, cell: str, folder: Path | None, as_json: bool) -> None:
    """Print scores, confusions, costs and provenance of one cell.

    CELL is the names of the cell as tables print them, the beginning of its digest, or
    its folder. If the names are those of several cells, their digests are printed.
    FOLDER holds the results; default: `results`.

    \b
    nserbench show "mel x mean x demo park@0"
    nserbench show 3f2a
    """
    from nserbench.benchmark.results.index import find_result
    from nserbench.benchmark.results.read_results import read_result
    from nserbench.benchmark.results.result import RESULT
    from nserbench.benchmark.study.command import command_of

    result_folder = find_result(cell, folder or settings.results)
    if as_json:
        click.echo((result_folder / RESULT).read_text(encoding="utf-8"), nl=False)
        return
    result = read_result(result_folder)
    reason = f": {result.reason}" if result.reason else ""
    text = (
        f"{result.upstream} x {result.downstream} x {result.corpus} {result.condition}"
        f"\nprotocol {result.protocol}, seed {result.seed}\ndigest {result.digest}"
        f"\n{result.status}{reason}\n"
    )
    click.echo(printable(text))
    print_tables(_tables(result))
    again = command_of(result, [result.seed])
    click.echo("\nto run it again (add --plugin and folders, which no result names):")
    click.echo(f"  {printable(again)}")


def _tables(result: Result) -> Iterator[TextTable]:
    if result.answers is not None:
        yield _scores(result.answers)
        yield _confusions(result.answers)
    for name in ("recognition", "protocol_details", "costs", "provenance", "notes"):
        if facts := getattr(result, name):
            yield TextTable(_spaced(name), ("", ""), _facts(facts), whole=[0])


def _scores(predictions: PredictionsOrCounts) -> TextTable:
    from nserbench.benchmark.results.metrics import summarise

    summaries = summarise(predictions)
    folds = [f"fold {fold}" for fold in next(iter(summaries.values())).folds]
    means = "score", "95 % interval", "chance", "fold mean", "pooled"
    rows = []
    for name, score in summaries.items():
        low, high = _percent(score.low), _percent(score.high)
        interval = "" if score.low is None else f"{low} to {high}"
        values = score.chance, score.mean, score.pooled, *score.folds.values()
        rows.append((name, _percent(score.value), interval, *map(_percent, values)))
    return TextTable("scores in percent", ("metric", *means, *folds), rows, whole=[2])


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else percent(fraction)


def _confusions(predictions: PredictionsOrCounts) -> TextTable:
    from nserbench.benchmark.results.counted import confusion_of

    classes = predictions.classes
    counts = zip(classes, confusion_of(predictions).tolist(), strict=True)
    rows = [(name, *map(str, row)) for name, row in counts]
    return TextTable("confusion matrix", ("true \\ predicted", *classes), rows)


def _spaced(name: str) -> str:
    return printable(name.replace("_", " "))


def _facts(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if not isinstance(value, Mapping):
            label, text = _measured(name, value)
            yield _spaced(label), text
            continue
        lines = [": ".join(_measured(*pair)) for pair in value.items()]
        yield _spaced(name), "\n".join(lines) or "none"


def _measured(name: str, value: object) -> tuple[str, str]:
    """Return a name and a value; bytes and times in their units, not in the name."""
    quantity, _, unit = name.rpartition("_")
    if unit not in _UNITS or not isinstance(value, int | float | None):
        return name, _text(value)
    label = LABELS.get(name, quantity or name)
    return label, "not measured" if value is None else _UNITS[unit](value)


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Mapping():
            return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
        case list():
            more = f" ... ({len(value)} in all)" if len(value) > SHOWN else ""
            return (", ".join(map(_text, value[:SHOWN])) or "none") + more
    return printable(str(value))
