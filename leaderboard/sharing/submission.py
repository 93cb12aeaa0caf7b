"""Check one submitted result, and collect what comparable results must share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.counted import (
    PredictionsOrCounts,
    UnitCounts,
    answers_by,
)
from nserbench.benchmark.results.metrics import (
    METRICS,
    chance,
    headline,
    mean_of_folds,
)
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import RESULT, Result
from nserbench.benchmark.store.digests import digest
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import condition_order, flaws_of
from nserbench.leaderboard.reading.fold_sizes import without_fold_names
from nserbench.plain_data import parse_json

OLDEST = ("mean", "pooled")
"""What the oldest results have of each metric."""
ROUNDED = 1e-9
"""Largest difference between a stored metric and the one computed again."""

Subject: TypeAlias = tuple[str, str]
"""What must be equal in comparable results: the property, and what it belongs to."""

CELL = "cell"
"""Property of the subject for a cell's digest, which depends on all other facts."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A result that passed all checks on a single result.

    Attributes:
        name: Name of the folder that nserbench gives this cell; equal for two results
            of the same cell.
        cell: Upstream, head, corpus, condition, protocol and seed, as text.
        facts: What must be equal in comparable results, as JSON; empty unless done.
        metrics: What is wrong with the stored metrics; None if they are correct.
    """

    folder: Path
    name: str
    cell: str
    done: bool
    facts: Mapping[Subject, str]
    metrics: str | None


def read_submission(folder: Path) -> Submission:
    """Read a result, and check everything that needs no other result.

    Raises:
        BadResult: if the result cannot be read, a digest is missing or wrong, the
            predicted class is not the most probable one, a unit of independence is
            tested in two folds, or the size of a fold differs from the protocol.
    """
    result = read_result(folder)
    if flaws := list(_flaws(result)):
        raise BadResult(f"{folder}: {'; '.join(flaws)}")
    answers = result.answers
    return Submission(
        folder=folder,
        name=result.folder,
        cell=(
            f"{result.upstream} x {result.downstream}, {result.corpus} "
            f"{result.condition}, {_protocol(result)}, seed {result.seed}"
        ),
        done=answers is not None,
        facts=dict(_facts(result, answers)) if answers else {},
        metrics=_wrong_metrics(folder, answers) if answers else None,
    )


def _protocol(result: Result) -> str:
    return f"{result.protocol} v{result.protocol_details.get('version')}"


def _flaws(result: Result) -> Iterator[str]:
    try:
        condition_order(result.condition)
    except ValueError:
        yield f"the condition {result.condition!r} is neither clean nor NOISE@SNR"
    try:
        datetime.fromisoformat(str(result.provenance.get("finished")))
    except ValueError:
        yield "provenance.finished is not an ISO 8601 time"
    if (answers := result.answers) is not None:
        yield from _digests(result)
        yield from flaws_of(answers, result.protocol_details)
        yield from _units(answers)
        if not isinstance(result.protocol_details.get("folds"), Mapping):
            yield "the protocol does not say how many utterances each fold tests"


def _digests(result: Result) -> Iterator[str]:
    for kind in ("corpus", *(("noise",) if result.condition != "clean" else ())):
        if not isinstance(result.provenance.get(kind), str):
            yield f"provenance.{kind} is missing, so the audio cannot be checked"
    details = dict(result.protocol_details)
    if details.pop("digest", None) != digest(details):
        yield "the digest of the protocol does not match its settings"


def _units(predictions: PredictionsOrCounts) -> Iterator[str]:
    fold_of: dict[str, str] = {}
    for unit, fold in _units_and_folds(predictions):
        if fold_of.setdefault(unit, fold) != fold:
            yield f"{unit!r} is tested in the folds {fold_of[unit]!r} and {fold!r}"
            return


def _units_and_folds(predictions: PredictionsOrCounts) -> Iterable[tuple[str, str]]:
    if not isinstance(predictions, UnitCounts):
        return zip(predictions.independent, predictions.folds, strict=True)
    tested = np.argwhere(predictions.answers.any(axis=(2, 3))).tolist()
    return ((predictions.units[unit], predictions.folds[fold]) for unit, fold in tested)


def _wrong_metrics(folder: Path, predictions: PredictionsOrCounts) -> str | None:
    """Compare the stored metrics with those of the predictions.

    Intervals are not compared, since they depend on random draws.
    """
    stored = parse_json((folder / RESULT).read_bytes()).get("metrics")
    folds, answers = answers_by(predictions)
    matrices = answers.sum(axis=0)
    for name in METRICS:
        written = _inner(stored, name)
        for where, value in _computed(name, folds, matrices).items():
            number = reduce(_inner, where, written)
            if where[0] not in OLDEST and _inner(written, "value") is None:
                continue
            if not isinstance(number, float | int) or abs(number - value) > ROUNDED:
                told = ".".join((name, *where))
                return f"{told} is {number}, but {value} from the predictions"
    return None


def _computed(
    metric: str, folds: Sequence[str], matrices: NDArray[np.int64]
) -> dict[tuple[str, ...], float]:
    """Return all that is stored of a metric but its interval, by the keys to it."""
    of_fold, of_each = METRICS[metric], METRICS[metric](matrices)
    return {
        ("mean",): float(mean_of_folds(of_fold, matrices)),
        ("pooled",): float(of_fold(matrices.sum(axis=0))),
        ("value",): headline(metric, matrices),
        ("chance",): chance(metric, matrices),
        **{("folds", fold): one for fold, one in zip(folds, of_each, strict=True)},
    }


def _inner(content: Any, key: str) -> Any:
    """Look up a key; None if the content is not a dict, since others wrote the file."""
    return content.get(key) if isinstance(content, dict) else None


def _facts(
    result: Result, predictions: PredictionsOrCounts
) -> Iterator[tuple[Subject, str]]:
    """Return the facts that comparable results share; see `Submission`."""
    # The digest of the protocol differs between heads, since their recipes differ.
    details = without_fold_names(result.protocol_details)
    provenance = result.provenance
    where = f"{result.corpus} by {_protocol(result)}"
    noise, _, _ = result.condition.rpartition("@")
    row = f"{result.upstream} x {result.downstream}"
    facts = [
        ("audio of the corpus", where, provenance.get("corpus")),
        ("edition of the corpus", where, result.notes.get("edition")),
        ("utterances, labels, speakers and folds", where, _tested(predictions)),
        ("weights", result.upstream, provenance.get("weights")),
        ("weights of the enhancer", result.upstream, provenance.get("enhancer")),
        ("fine-tuning", f"{result.upstream} on {where}", result.notes.get("tuning")),
        ("recipe", f"{result.downstream} on {where}", details.pop("recipe", None)),
        *((f"protocol's {key}", where, value) for key, value in details.items()),
    ]
    if noise:
        facts += [
            ("audio of the noise", f"{noise} on {where}", provenance.get("noise")),
            ("mixing", f"{noise} on {where}", provenance.get("mix_version")),
        ]
    cell = f"{row} on {where}, {result.condition}, seed {result.seed}"
    newer = [fact for fact in _newer_facts(result, row, where) if fact[2] is not None]
    for name, of, fact in [*facts, *newer, (CELL, cell, result.digest)]:
        yield (name, of), json.dumps(fact, ensure_ascii=False, sort_keys=True)


def _newer_facts(
    result: Result, row: str, where: str
) -> Iterator[tuple[str, str, object]]:
    """Yield facts that results of an older nserbench lack: None if so."""
    provenance = result.provenance
    code, trained = provenance.get("code"), provenance.get("training_noise")
    noise, _, _ = result.condition.rpartition("@")
    for of, named in (
        ("upstream", result.upstream),
        ("head", result.downstream),
        ("tuning", row),
    ):
        yield f"code of the {of}", named, _inner(code, of)
    yield "texts of the corpus", where, provenance.get("texts")
    yield "noise", f"{noise} on {where}", provenance.get("noise_segments")
    for name, used in trained.items() if isinstance(trained, Mapping) else ():
        yield "noise in the training set", f"{name} on {where}", used


def _tested(run: PredictionsOrCounts) -> str:
    """Return number and digest of the test utterances, whatever their order."""
    counts = UnitCounts.of(run)
    return f"{counts.answers.sum()}, digest {counts.tested[:16]}"
