"""Two results tested alike, the second laid out as the first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from nserbench.benchmark.results.index import read_entries
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result, read_result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import finished_at

Pair: TypeAlias = tuple[Result, Result]


def read_pairs(first: Path, second: Path, *, all_seeds: bool = False) -> list[Pair]:
    """Read two results, or those of all seeds that both cells have.

    Args:
        first: A result folder.
        second: Another.
        all_seeds: Pair the results beside them as well, seed by seed. They are the
            same cell but for the seed, under the same version of its protocol.

    Returns:
        By seed. All were tested on the same utterances, in one order.

    Raises:
        BadResult: if both are one folder, one is not done or cannot be read, or they
            were tested on different utterances, labels, folds or classes.
    """
    pairs = [(_done(first), _done(second))]
    if first.resolve() == second.resolve():
        raise BadResult(f"{first.name} is named twice\n  name two different cells")
    if all_seeds:
        ours, theirs = _by_seed(first), _by_seed(second)
        pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs)]
    if not pairs:
        raise BadResult(
            f"the cells have no seed in common: {_listed(ours)} and {_listed(theirs)}\n"
            "  without --all-seeds the two that are named are compared"
        )
    like = pairs[0][0]
    return [(_aligned(one, like), _aligned(other, like)) for one, other in pairs]


def predictions_of(result: Result) -> Predictions:
    """Give the predictions of a result that is done.

    Raises:
        BadResult: if it is not.
    """
    if result.predictions is None:
        raise BadResult(
            f"{_words(result)} is {result.status}: {result.reason}\n"
            "  only cells that are done can be compared"
        )
    return result.predictions


def _done(folder: Path) -> Result:
    result = read_result(folder)
    predictions_of(result)
    return result


def _by_seed(folder: Path) -> dict[int, Result]:
    """Give the results beside one that differ from it in the seed alone.

    Of several with one seed, the last to be finished is taken; with the seed of the
    one given, that one.
    """
    given = read_result(folder)
    found = {
        result.seed: result
        for result in sorted(_beside(folder, given), key=finished_at)
        if result.status == "done" and _version(result) == _version(given)
    }
    return {**found, given.seed: given}


def _beside(folder: Path, given: Result) -> Iterator[Result]:
    for entry in read_entries(folder.resolve().parent):
        others = {key: name for key, name in entry.names.items() if key != "seed"}
        if all(getattr(given, key) == name for key, name in others.items()):
            yield read_result(entry.folder)


def _version(result: Result) -> list[object]:
    return [result.protocol_details.get(key) for key in ("version", "digest")]


def _aligned(result: Result, like: Result) -> Result:
    """Put the utterances of a result into the order of another.

    Raises:
        BadResult: if the two were not tested alike.
    """
    ours, theirs = predictions_of(like), predictions_of(result)
    reasons = list(_other_utterances(ours, theirs))
    if not reasons:
        theirs = _ordered(theirs, ours.utterances)
        reasons = list(_other_facts(ours, theirs))
    if reasons:
        raise BadResult(
            f"{_words(like)}\n  and {_words(result)} do not compare\n  "
            + "\n  ".join(reasons)
        )
    return dataclasses.replace(result, predictions=theirs)


def _other_utterances(ours: Predictions, theirs: Predictions) -> Iterator[str]:
    """Say where classes or utterances differ."""
    if ours.classes != theirs.classes:
        yield f"the classes are {_listed(ours.classes)} and {_listed(theirs.classes)}"
    known, others = set(ours.utterances), set(theirs.utterances)
    if known != others:
        yield (
            f"{len(known & others)} utterances were tested in both, "
            f"{len(known - others)} only in the first, "
            f"{len(others - known)} only in the second"
        )


def _ordered(found: Predictions, utterances: Sequence[str]) -> Predictions:
    places = {name: place for place, name in enumerate(found.utterances)}
    order = [places[name] for name in utterances]
    return Predictions(
        utterances=tuple(utterances),
        speakers=tuple(found.speakers[place] for place in order),
        folds=tuple(found.folds[place] for place in order),
        classes=found.classes,
        labels=found.labels[order],
        predicted=found.predicted[order],
        probabilities=found.probabilities[order],
        units=tuple(found.units[place] for place in order if found.units),
    )


def _other_facts(ours: Predictions, theirs: Predictions) -> Iterator[str]:
    """Say where two cells on the same utterances say different things of them."""
    yours = _facts(theirs)
    for what, mine in _facts(ours).items():
        rows = zip(ours.utterances, mine, yours[what], strict=True)
        differing = [row for row in rows if row[1] != row[2]]
        if differing:
            name, one, other = differing[0]
            yield (
                f"{len(differing)} of {len(mine)} utterances have another {what}, such "
                f"as {name}: {one} and {other}"
            )


def _facts(found: Predictions) -> dict[str, Sequence[str]]:
    return {
        "label": [found.classes[label] for label in found.labels.tolist()],
        "fold": found.folds,
        "speaker": found.speakers,
        "unit of independence": found.independent,
    }


def _words(result: Result) -> str:
    return (
        f"{result.upstream} x {result.downstream} on {result.corpus} "
        f"{result.condition}, seed {result.seed}"
    )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
