"""Pairs of results on the same utterances, the second in the order of the first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from nserbench.benchmark.results.index import read_entries
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import finished_at, flaws_of

MODELS = "weights", "enhancer", "transcriber"
"""The keys of a result's provenance that identify its models."""

Pair: TypeAlias = tuple[Result, Result]


def read_pairs(first: Path, second: Path, *, all_seeds: bool = False) -> list[Pair]:
    """Read two results, or the results of two cells with all seeds they share.

    The other seeds are those in the folders that hold the two, under the same version
    of the protocol.

    Returns:
        A pair for each seed, all on the same utterances in the same order.

    Raises:
        BadResult: if both are the same folder, one is not done or cannot be read, or
            they were tested on different utterances, labels, folds or classes.
    """
    pairs = [(_done(first), _done(second))]
    if first.resolve() == second.resolve():
        raise BadResult(
            f"{first.name} is compared with itself\n  name two different cells"
        )
    if all_seeds:
        ours, theirs = _by_seed(first), _by_seed(second)
        pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs)]
    if not pairs:
        raise BadResult(
            f"the cells have no seed in common: {_listed(ours)} and {_listed(theirs)}\n"
            "  without --all-seeds the two named cells are compared"
        )
    like = pairs[0][0]
    return [(_aligned(left, like), _aligned(right, like)) for left, right in pairs]


def predictions_of(result: Result) -> Predictions:
    """Return the predictions of a result that is done.

    Raises:
        BadResult: if it is not done, or has counts in place of ids.
    """
    if result.counts is not None:
        raise BadResult(
            f"{_description(result)} has counts in place of ids\n"
            "  compare results that have ids: run the cell again"
        )
    if result.predictions is None:
        raise BadResult(
            f"{_description(result)} is {result.status}: {result.reason}\n"
            "  only finished cells can be compared; name another cell"
        )
    return result.predictions


def _done(folder: Path) -> Result:
    result = read_result(folder)
    if flaws := list(flaws_of(predictions_of(result), result.protocol_details)):
        raise BadResult(f"{folder}: {'; '.join(flaws)}")
    return result


def _by_seed(folder: Path) -> dict[int, Result]:
    """Return the results of the same cell by seed, from the same parent folder.

    Of several with one seed, the last finished one is taken, but the result in
    ``folder`` itself always stays.

    Raises:
        BadResult: if one was made from other weights or audio than the named one.
    """
    named = read_result(folder)
    by_seed = {
        result.seed: result
        for result in sorted(_same_cell(folder, named), key=finished_at)
        if result.status == "done" and _version(result) == _version(named)
    }
    for result in by_seed.values():
        if other := list(_different_inputs(named, result)):
            raise BadResult(
                f"{_description(result)}, seed {result.seed}, has other {other[0]} "
                f"than seed {named.seed}\n  they are not seeds of one cell: keep one "
                "of them in another folder of results"
            )
    return {**by_seed, named.seed: named}


def _same_cell(folder: Path, named: Result) -> Iterator[Result]:
    """Read the results that differ from the named one at most in the seed."""
    for entry in read_entries(folder.resolve().parent):
        names = {key: name for key, name in entry.names.items() if key != "seed"}
        if all(getattr(named, key) == name for key, name in names.items()):
            yield read_result(entry.folder)


def _different_inputs(first: Result, second: Result) -> Iterator[str]:
    """Say which inputs of two results are known and differ."""
    inputs = {name: name for name in MODELS} | {"corpus": "audio of the corpus"}
    if first.condition == second.condition and _mixing(first) == _mixing(second):
        inputs["noise"] = "audio of the noise"
        inputs["noise_segments"] = "segments of the noise"
    for key, what in inputs.items():
        values = first.provenance.get(key), second.provenance.get(key)
        if None not in values and values[0] != values[1]:
            yield what
    if _mixing(first) == _mixing(second):
        ours, theirs = _trained_in(first), _trained_in(second)
        if any(theirs.get(noise, used) != used for noise, used in ours.items()):
            yield "audio of the noise in the training set"


def _trained_in(result: Result) -> Mapping[str, str]:
    """Return what identifies each noise of the training set; empty if unknown."""
    used = result.provenance.get("training_noise")
    return used if isinstance(used, Mapping) else {}


def _mixing(result: Result) -> list[object]:
    """Return the settings of a protocol that say which noise an utterance gets."""
    return [result.protocol_details.get(key) for key in ("noise", "mix_seed")]


def _version(result: Result) -> list[object]:
    return [result.protocol_details.get(key) for key in ("version", "digest")]


def _aligned(result: Result, like: Result) -> Result:
    """Put the utterances of a result into the order of another."""
    first, second = predictions_of(like), predictions_of(result)
    reasons = list(_different_utterances(first, second))
    reasons += [
        f"they have other {what}"
        for what in _different_inputs(like, result)
        if what not in MODELS
    ]
    if not reasons:
        second = _ordered(second, first.utterances)
        reasons = list(_different_facts(first, second))
    if reasons:
        raise BadResult(
            f"{_description(like)}\n  and {_description(result)} cannot be compared\n  "
            + "\n  ".join(reasons)
        )
    return dataclasses.replace(result, predictions=second)


def _different_utterances(first: Predictions, second: Predictions) -> Iterator[str]:
    if first.classes != second.classes:
        yield f"the classes are {_listed(first.classes)} and {_listed(second.classes)}"
    tested, others = set(first.utterances), set(second.utterances)
    if tested != others:
        yield (
            f"{len(tested & others)} utterances were tested in both, "
            f"{len(tested - others)} only in the first, "
            f"{len(others - tested)} only in the second"
        )


def _ordered(predictions: Predictions, utterances: Sequence[str]) -> Predictions:
    indices = {name: index for index, name in enumerate(predictions.utterances)}
    order = [indices[name] for name in utterances]
    return Predictions(
        utterances=tuple(utterances),
        speakers=tuple(predictions.speakers[index] for index in order),
        folds=tuple(predictions.folds[index] for index in order),
        classes=predictions.classes,
        labels=predictions.labels[order],
        predicted=predictions.predicted[order],
        probabilities=predictions.probabilities[order],
        units=tuple(predictions.units[index] for index in order if predictions.units),
    )


def _different_facts(first: Predictions, second: Predictions) -> Iterator[str]:
    """Say where labels, folds, speakers or units of the same utterances differ."""
    others = _facts(second)
    for kind, values in _facts(first).items():
        rows = zip(first.utterances, values, others[kind], strict=True)
        differing = [row for row in rows if row[1] != row[2]]
        if differing:
            name, value, other = differing[0]
            yield (
                f"{len(differing)} of {len(values)} utterances have another {kind}, "
                f"for example {name}: {value} and {other}"
            )


def _facts(predictions: Predictions) -> dict[str, Sequence[str]]:
    return {
        "label": [predictions.classes[label] for label in predictions.labels.tolist()],
        "fold": predictions.folds,
        "speaker": predictions.speakers,
        "unit of independence": predictions.independent,
    }


def _description(result: Result) -> str:
    return (
        f"{result.upstream} x {result.downstream} on {result.corpus} "
        f"{result.condition} ({result.protocol}, seed {result.seed})"
    )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
