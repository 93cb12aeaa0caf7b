"""``nserbench compare``: two cells, utterance by utterance."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.overwrite import refuse_other_file
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_settings
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import wrapped
from nserbench.leaderboard.render.numbers import p_value, percent, signed_percent

if TYPE_CHECKING:
    from nserbench.benchmark.results.result import Result
    from nserbench.leaderboard.analysis.compare import (
        Comparison,
        Disagreement,
        MetricChange,
        Subgroup,
    )
    from nserbench.leaderboard.reading.pairs import Pair
    from nserbench.settings import Settings

SHOWN = 20
"""Most speakers and utterances that are printed; `--json` has all of them."""
COLUMNS = ("utterance", "speaker", "fold", "label", "first", "second")
WARNING = (
    "McNemar's test assumes independent utterances. Utterances of one speaker are not "
    "independent, so its p-value is usually too small. The intervals and p-values of "
    "the scores resample whole speakers (or the corpus's other units)."
)


@click.command()
@click.argument("first")
@click.argument("second")
@click.argument("folder", type=UserPath(), required=False)
@click.option(
    "--all-seeds",
    is_flag=True,
    help="Also use the other seeds that both cells have, paired seed by seed.",
)
@click.option(
    "--flips",
    type=UserPath(dir_okay=False),
    metavar="FILE.csv",
    help="Write a table of the utterances that only one of the two cells has right.",
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

    FIRST and SECOND are the names of cells as tables print them, the beginnings of
    their digests, or their folders. FOLDER holds the results; default: `results`. A
    change is the second minus the first.

    \b
    nserbench compare "mel x mean x demo clean" "mel x bigru x demo clean"
    nserbench compare 3f2a 91c0
    nserbench compare 3f2a 91c0 --all-seeds --flips flips.csv
    """
    from nserbench.benchmark.results.index import find_result
    from nserbench.leaderboard.analysis.compare import compare as compare_pairs
    from nserbench.leaderboard.reading.pairs import read_pairs

    root = folder or settings.results
    folders = [find_result(cell, root, any_seed=all_seeds) for cell in (first, second)]
    pairs = read_pairs(*folders, all_seeds=all_seeds)
    comparison = compare_pairs(pairs)
    if flips is not None:
        _write_flips(flips, comparison.flips, pairs[0][0].classes)
    if as_json:
        click.echo(json.dumps(_content(pairs, comparison), indent=1, allow_nan=False))
    else:
        _print(pairs, comparison, flips)


def _print(pairs: Sequence[Pair], comparison: Comparison, flips: Path | None) -> None:
    for which, result in zip(("first ", "second"), pairs[0], strict=True):
        click.echo(wrapped(f"{which}  {_title(result)}"))
    click.echo(
        f"{comparison.utterances} utterances of {comparison.units} speakers or other "
        "units"
    )
    click.echo()
    print_tables(_tables(comparison))
    click.echo()
    for note in _notes(comparison, seeds=len(pairs)):
        click.echo(wrapped(note))
    if flips:
        click.echo(f"written: {flips} ({len(comparison.flips)} utterances)")


def _notes(comparison: Comparison, seeds: int) -> Iterator[str]:
    from nserbench.leaderboard.analysis.statistics import FEW_UNITS

    yield WARNING
    if comparison.pooled:
        yield "A fold lacks a class, so the scores are of all folds together (pooled)."
    if seeds == 1:
        yield (
            "There is one seed of each cell, so intervals and p-values do not include "
            "the variation between seeds."
        )
    if comparison.units < FEW_UNITS:
        yield f"Intervals of fewer than {FEW_UNITS} speakers or other units are rough."


def _title(result: Result) -> str:
    return (
        f"{result.upstream} x {result.downstream} on {result.corpus} "
        f"{result.condition}, protocol {result.protocol}, digest {result.digest[:10]}"
    )


def _tables(comparison: Comparison) -> Iterator[TextTable]:
    yield _scores(comparison)
    yield _agreements(comparison)
    yield _subgroups("recall in percent", "class", comparison.classes)
    speakers = comparison.speakers
    shown = sorted(speakers, key=lambda speaker: -abs(speaker.change))[:SHOWN]
    title = f"correct answers in percent{_shown_of(shown, speakers)}"
    shown.sort(key=lambda speaker: speaker.change)
    yield _subgroups(title, "speaker", shown)
    for which, gained in (("first", False), ("second", True)):
        flips = [flip for flip in comparison.flips if flip.gained is gained]
        if flips:
            title = f"only the {which} is correct{_shown_of(flips[:SHOWN], flips)}"
            yield _flips(title, flips[:SHOWN])


def _shown_of(shown: Sequence[object], items: Sequence[object]) -> str:
    if len(shown) == len(items):
        return ""
    return f" ({len(shown)} of {len(items)}, the largest changes)"


def _scores(comparison: Comparison) -> TextTable:
    rows = []
    for name, score in comparison.scores.items():
        ends = " to ".join(map(signed_percent, score.bounds or ()))
        p = "" if score.p is None else p_value(score.p)
        rows.append((name, *_change(score), ends or "none: one unit", p))
    headers = "metric", "first", "second", "change", "95 % interval", "p"
    return TextTable("scores in percent", headers, rows)


def _agreements(comparison: Comparison) -> TextTable:
    answers = "both", "only first", "only second", "neither"
    rows = []
    for counts in comparison.agreements:
        numbers = (counts.both, counts.first, counts.second, counts.neither)
        test = "exact" if counts.exact else "chi-square"
        p = p_value(counts.p)
        rows.append((_seeds(counts.seeds), *map(str, numbers), p, test))
    headers = "seeds", *answers, "McNemar's p", "test"
    return TextTable("correct answers", headers, rows)


def _subgroups(title: str, header: str, subgroups: Iterable[Subgroup]) -> TextTable:
    rows = [(one.name, str(one.utterances), *_change(one)) for one in subgroups]
    headers = header, "utterances", "first", "second", "change"
    return TextTable(title, headers, rows)


def _flips(title: str, flips: Iterable[Disagreement]) -> TextTable:
    rows = []
    for flip in flips:
        first = f"{flip.first} {percent(flip.first_probabilities[flip.first])}"
        second = f"{flip.second} {percent(flip.second_probabilities[flip.second])}"
        texts = flip.utterance, flip.speaker, _seeds(flip.seeds), flip.label
        rows.append((*texts, first, second))
    headers = "utterance", "speaker", "seeds", "true", "first", "second"
    return TextTable(title, headers, rows)


def _change(scores: MetricChange | Subgroup) -> tuple[str, str, str]:
    return percent(scores.first), percent(scores.second), signed_percent(scores.change)


def _seeds(seeds: tuple[int, int]) -> str:
    first, second = seeds
    return str(first) if first == second else f"{first} and {second}"


def _write_flips(
    file: Path, flips: Iterable[Disagreement], classes: Sequence[str]
) -> None:
    """Write a row for each utterance, with the probabilities of all classes."""
    sides = ("first", "second")
    names = [f"{side}_p_{name}" for side in sides for name in classes]
    heads = ["first_seed", "second_seed", *COLUMNS, *names]
    refuse_other_file(file, "csv", ",".join(heads))
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(heads)
        for flip in flips:
            both = (flip.first_probabilities, flip.second_probabilities)
            values = [f"{side[name]:.9g}" for side in both for name in classes]
            facts = [getattr(flip, column) for column in COLUMNS]
            rows.writerow([*flip.seeds, *facts, *values])


def _content(pairs: Sequence[Pair], comparison: Comparison) -> dict[str, object]:
    firsts, seconds = zip(*pairs, strict=True)
    return {
        "unit": "fraction of 1",
        "first": _names(firsts),
        "second": _names(seconds),
        **dataclasses.asdict(comparison),
        "scores": {
            name: {
                "first": score.first,
                "second": score.second,
                "change": score.change,
                "low": score.low,
                "high": score.high,
                "p": score.p,
            }
            for name, score in comparison.scores.items()
        },
        "warning": WARNING,
    }


def _names(results: Sequence[Result]) -> dict[str, object]:
    names = dataclasses.asdict(results[0].cell)
    del names["seed"]
    digests = {str(result.seed): result.digest for result in results}
    return {**names, "digests": digests}
