"""One result as somebody sent it: is it sound, and what must others agree with?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nserbench.benchmark.results.metrics import METRICS, answers_by, mean_of_folds
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import RESULT, Result, read_result
from nserbench.benchmark.store.digests import digest
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import condition_order

ROUNDED = 1e-9
"""By how much a stored metric may differ from the same one computed again."""

Subject: TypeAlias = tuple[str, str]
"""What must be equal in all results that concern it: the thing, and of what."""

CELL = "cell"
"""Of the subject whose fact is a cell's digest, which every other fact decides too."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A result in which nothing contradicts itself.

    Attributes:
        folder: Where it is.
        name: Of its folder in any other place; equal for two results of one cell.
        cell: Its names, as in tables.
        done: Whether it is.
        facts: What must be equal in other results, as JSON; empty unless it is done.
        metrics: What is wrong with its stored metrics; None if they are right.
    """

    folder: Path
    name: str
    cell: str
    done: bool
    facts: Mapping[Subject, str]
    metrics: str | None


def read_submission(folder: Path) -> Submission:
    """Read a result, and check all that can be checked of it alone.

    Raises:
        BadResult: if it cannot be read, lacks a digest, or contradicts itself: the
            class predicted is not the most probable, a unit of independence is tested
            in two folds, folds have other sizes than the protocol says, or the
            protocol's digest is of something else.
    """
    result = read_result(folder)
    if flaws := list(_flaws(result)):
        raise BadResult(f"{folder}: {'; '.join(flaws)}")
    found = result.predictions
    return Submission(
        folder=folder,
        name=result.folder,
        cell=(
            f"{result.upstream} x {result.downstream}, {result.corpus} "
            f"{result.condition}, {_protocol(result)}, seed {result.seed}"
        ),
        done=found is not None,
        facts=dict(_facts(result, found)) if found else {},
        metrics=_wrong_metrics(folder, found) if found else None,
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
        yield "provenance.finished is no ISO 8601 time"
    if (found := result.predictions) is not None:
        yield from _digests(result)
        yield from _answers(found)
        yield from _folds(found, result.protocol_details)


def _digests(result: Result) -> Iterator[str]:
    """Say which digests are missing, or are not of what stands beside them."""
    for what in ("corpus", *(("noise",) if result.condition != "clean" else ())):
        if not isinstance(result.provenance.get(what), str):
            yield f"provenance.{what} is missing, so nobody can say what was heard"
    details = dict(result.protocol_details)
    if details.pop("digest", None) != digest(details):
        yield "the protocol's digest is not that of what the protocol says"


def _answers(found: Predictions) -> Iterator[str]:
    """Say where the answer is not the most probable class."""
    chosen = found.probabilities[np.arange(len(found.predicted)), found.predicted]
    wrong = np.flatnonzero(chosen < found.probabilities.max(axis=1)).tolist()
    if wrong:
        yield (
            f"the class predicted is not the most probable one of {len(wrong)} "
            f"utterances, such as {found.utterances[wrong[0]]!r}"
        )


def _folds(found: Predictions, protocol: Mapping[str, object]) -> Iterator[str]:
    """Say which unit is in two folds, and which fold is not as long as it should be."""
    homes: dict[str, str] = {}
    for unit, fold in zip(found.independent, found.folds, strict=True):
        if homes.setdefault(unit, fold) != fold:
            yield f"{unit!r} is tested in the folds {homes[unit]!r} and {fold!r}"
            break
    sizes = protocol.get("folds")
    said = {
        fold: parts.get("test") if isinstance(parts, Mapping) else None
        for fold, parts in (sizes.items() if isinstance(sizes, Mapping) else ())
    }
    held = {fold: found.folds.count(fold) for fold in sorted(set(found.folds))}
    if said != held:
        yield f"utterances by fold are {held}, and by its protocol {said}"


def _wrong_metrics(folder: Path, found: Predictions) -> str | None:
    """Compare the stored metrics with those of the predictions.

    Intervals are left out: they hang on how they are drawn.
    """
    stored = json.loads((folder / RESULT).read_text(encoding="utf-8")).get("metrics")
    matrices = answers_by(found)[1].sum(axis=0)
    for name, metric in METRICS.items():
        right = {
            "mean": float(mean_of_folds(metric, matrices)),
            "pooled": float(metric(matrices.sum(axis=0))),
        }
        for kind, value in right.items():
            told = _inner(_inner(stored, name), kind)
            if not isinstance(told, float | int) or abs(told - value) > ROUNDED:
                return f"{name}.{kind} is {told}, and by its predictions {value}"
    return None


def _inner(content: Any, key: str) -> Any:
    """Look a key up in what may be anything, since somebody else wrote it."""
    return content.get(key) if isinstance(content, dict) else None


def _facts(result: Result, found: Predictions) -> Iterator[tuple[Subject, str]]:
    """Give the facts that comparable results share; see `Submission`."""
    details, heard = dict(result.protocol_details), result.provenance
    del details["digest"]  # which differs between heads, as their recipes do
    where = f"{result.corpus} by {_protocol(result)}"
    noise, _, _ = result.condition.rpartition("@")
    row = f"{result.upstream} x {result.downstream}"
    facts = [
        ("audio of the corpus", where, heard.get("corpus")),
        ("edition of the corpus", where, result.notes.get("edition")),
        ("utterances, labels, speakers and folds", where, _tested(found)),
        ("weights", result.upstream, heard.get("weights")),
        ("weights of the enhancer", result.upstream, heard.get("enhancer")),
        ("tuning", f"{result.upstream} on {where}", result.notes.get("tuning")),
        ("recipe", f"{result.downstream} on {where}", details.pop("recipe", None)),
        *((f"protocol's {key}", where, value) for key, value in details.items()),
    ]
    if noise:
        facts += [
            ("audio of the noise", f"{noise} on {where}", heard.get("noise")),
            ("mixing", f"{noise} on {where}", heard.get("mix_version")),
        ]
    cell = f"{row} on {where}, {result.condition}, seed {result.seed}"
    for what, of, fact in [*facts, (CELL, cell, result.digest)]:
        yield (what, of), json.dumps(fact, ensure_ascii=False, sort_keys=True)


def _tested(found: Predictions) -> str:
    """Count what was tested, with its digest, in whatever order."""
    labels = [found.classes[label] for label in found.labels.tolist()]
    columns = (found.utterances, found.speakers, found.independent, found.folds, labels)
    content = [found.classes, sorted(zip(*columns, strict=True))]
    return f"{len(labels)}, digest {digest(content)[:16]}"
