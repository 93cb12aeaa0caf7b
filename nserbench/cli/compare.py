"""``nserbench compare``: what tells two cells apart."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import with_settings
from nserbench.leaderboard.render.numbers import p_value, percent, signed_percent

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.results.result import Result
    from nserbench.leaderboard.analysis.compare import (
        Comparison,
        Disagreement,
        Subgroup,
    )
    from nserbench.leaderboard.reading.pairs import Pair
    from nserbench.settings import Settings

SHOWN = 20
"""Speakers, and flips, that are printed; `--json` has them all."""
COLUMNS = ("utterance", "speaker", "fold", "label", "first", "second")
WARNING = (
    "McNemar's test takes utterances as independent. Those of one speaker are not, so "
    "its p is mostly too small. The intervals and p of the scores draw whole speakers "
    "(or the corpus's other units)."
)


@click.command()
@click.argument("first")
@click.argument("second")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--all-seeds",
    is_flag=True,
    help="Also the other seeds that both cells have, paired seed by seed.",
)
@click.option(
    "--flips",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Write down the utterances that only one of the two has right.",
)
@json_option
@with_settings
def compare(
    settings: Settings,
    first: str,
    second: str,
    folder: Path | None,
    all_seeds: bool,
    flips: Path | None,
    as_json: bool,
) -> None:
    """Compare two cells that were tested on the same utterances.

    FIRST and SECOND are folders of results, or the beginnings of their digests as
    `nserbench status --json` prints them; FOLDER, where they are, is `results` unless
    set. Changes are the second minus the first.

    \b
    nserbench compare 3f2a 91c0
    nserbench compare 3f2a 91c0 --all-seeds --flips flips.csv
    """
    from nserbench.benchmark.results.index import find_result
    from nserbench.leaderboard.analysis.compare import compare as compared
    from nserbench.leaderboard.reading.pairs import read_pairs

    root = folder or settings.results
    names = [find_result(cell, root) for cell in (first, second)]
    pairs = read_pairs(*names, all_seeds=all_seeds)
    found = compared(pairs)
    if flips is not None:
        _write_flips(flips, found.flips, pairs[0][0].classes)
    if as_json:
        click.echo(json.dumps(_content(pairs, found), indent=1, allow_nan=False))
    else:
        _print(pairs, found, flips)


def _print(pairs: Sequence[Pair], found: Comparison, written: Path | None) -> None:
    from nserbench.cli.common.tables import print_tables
    from nserbench.leaderboard.analysis.statistics import FEW_UNITS

    for which, result in zip(("first ", "second"), pairs[0], strict=True):
        click.echo(f"{which}  {_title(result)}")
    click.echo(
        f"{found.utterances} utterances of {found.units} speakers or other units"
    )
    click.echo()
    print_tables(_tables(found))
    click.echo(f"\n{WARNING}")
    if found.pooled:
        click.echo(
            "A fold lacks a class, so the scores are of all folds together (pooled)."
        )
    if len(pairs) == 1:
        click.echo(
            "One seed of each: what another seed would change is in no interval or p."
        )
    if found.units < FEW_UNITS:
        click.echo(f"Intervals from fewer than {FEW_UNITS} of them are rough.")
    if written:
        click.echo(f"{len(found.flips)} flips are in {written}")


def _title(result: Result) -> str:
    return (
        f"{result.upstream} x {result.downstream} on {result.corpus} "
        f"{result.condition}, protocol {result.protocol}, digest {result.digest[:10]}"
    )


def _tables(found: Comparison) -> Iterator[tuple[str, Table]]:
    yield "scores in percent", _scores(found)
    yield "right answers", _agreements(found)
    yield "recall in percent", _parts("class", found.classes)
    shown = sorted(found.speakers, key=lambda one: -abs(one.change))[:SHOWN]
    yield (
        f"right answers in percent{_cut(shown, found.speakers)}",
        _parts("speaker", sorted(shown, key=lambda one: one.change)),
    )
    for which, gained in (("first", False), ("second", True)):
        flips = [flip for flip in found.flips if flip.gained is gained]
        if flips:
            title = f"right in the {which} alone{_cut(flips[:SHOWN], flips)}"
            yield title, _flips(flips[:SHOWN])


def _cut(shown: Sequence[object], found: Sequence[object]) -> str:
    if len(shown) == len(found):
        return ""
    return f" ({len(shown)} of {len(found)}, the largest changes)"


def _scores(found: Comparison) -> Table:
    from nserbench.cli.common.tables import table

    scores = table("metric", "first", "second", "change", "95 %", "p")
    for name, one in found.scores.items():
        bounds = "none: one unit"
        if one.low is not None and one.high is not None:
            bounds = f"{signed_percent(one.low)} to {signed_percent(one.high)}"
        p = "" if one.p is None else p_value(one.p)
        values = percent(one.first), percent(one.second), signed_percent(one.change)
        scores.add_row(name, *values, bounds, p)
    return scores


def _agreements(found: Comparison) -> Table:
    from nserbench.cli.common.tables import table

    counts = table(
        "seeds", "both", "first alone", "second alone", "neither", "McNemar's p", ""
    )
    for one in found.agreements:
        numbers = (one.both, one.first, one.second, one.neither)
        how = "exact" if one.exact else "chi-square"
        counts.add_row(_seeds(one.seeds), *map(str, numbers), p_value(one.p), how)
    return counts


def _parts(what: str, parts: Iterable[Subgroup]) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table(what, "utterances", "first", "second", "change")
    for one in parts:
        values = percent(one.first), percent(one.second), signed_percent(one.change)
        found.add_row(Text(one.name), str(one.utterances), *values)
    return found


def _flips(flips: Iterable[Disagreement]) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table("utterance", "speaker", "seeds", "true", "first", "second")
    for one in flips:
        first = f"{one.first} {percent(one.first_probabilities[one.first])}"
        second = f"{one.second} {percent(one.second_probabilities[one.second])}"
        texts = (one.utterance, one.speaker, _seeds(one.seeds), one.label)
        found.add_row(*map(Text, (*texts, first, second)))
    return found


def _seeds(seeds: tuple[int, int]) -> str:
    first, second = seeds
    return str(first) if first == second else f"{first} and {second}"


def _write_flips(
    file: Path, flips: Iterable[Disagreement], classes: Sequence[str]
) -> None:
    """Write a row for each flip, with the probabilities of all classes."""
    sides = ("first", "second")
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        names = [f"{side}_p_{name}" for side in sides for name in classes]
        rows.writerow(["first_seed", "second_seed", *COLUMNS, *names])
        for flip in flips:
            both = (flip.first_probabilities, flip.second_probabilities)
            values = [f"{one[name]:.9g}" for one in both for name in classes]
            facts = [getattr(flip, column) for column in COLUMNS]
            rows.writerow([*flip.seeds, *facts, *values])


def _content(pairs: Sequence[Pair], found: Comparison) -> dict[str, object]:
    """Give all that `--json` prints."""
    firsts, seconds = zip(*pairs, strict=True)
    return {
        "unit": "fraction of 1",
        "first": _names(firsts),
        "second": _names(seconds),
        **dataclasses.asdict(found),
        "warning": WARNING,
    }


def _names(results: Sequence[Result]) -> dict[str, object]:
    one = results[0]
    return {
        "upstream": one.upstream,
        "downstream": one.downstream,
        "corpus": one.corpus,
        "condition": one.condition,
        "protocol": one.protocol,
        "digests": {str(result.seed): result.digest for result in results},
    }
