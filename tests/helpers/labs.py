"""Valid results of a lab, except for what a test changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.write_results import write_result
from nserbench.benchmark.store.digests import digest

SPEAKERS = ("ann", "ann", "bob", "bob", "cid", "cid", "dot", "dot")
CORPUS, NOISE = "c" * 32, "d" * 32


def predictions(right: str = "11111111", **changes: Any) -> Predictions:
    labels = np.arange(8) % 2
    predicted = np.where([one == "1" for one in right], labels, 1 - labels)
    fields: dict[str, Any] = {
        "utterances": tuple(f"u{number}" for number in range(8)),
        "speakers": SPEAKERS,
        "folds": tuple("11112222"),
        "classes": ("anger", "neutral"),
        "labels": labels,
        "predicted": predicted,
        "probabilities": np.where(np.eye(2)[predicted] == 1, 0.75, 0.25),
    }
    return Predictions(**{**fields, **changes})


def details(**changes: Any) -> dict[str, Any]:
    said = {
        "name": "probe",
        "version": 1,
        "recipe": {"epochs": 50},
        "mix_seed": 0,
        "folds": {"1": {"train": 4, "test": 4}, "2": {"train": 4, "test": 4}},
        **changes,
    }
    return {**said, "digest": digest(said)}


def add(
    lab: Path,
    upstream: str = "mel",
    condition: str = "clean",
    *,
    provenance: Mapping[str, object] | None = None,
    protocol: Mapping[str, object] | None = None,
    found: Predictions | None = None,
    **changes: Any,
) -> Path:
    """Write a valid result of a lab with some changes."""
    heard = {
        "finished": "2026-11-22T10:00:00+00:00",
        "corpus": CORPUS,
        "noise": None if condition == "clean" else NOISE,
        "weights": "e" * 32,
        **(provenance or {}),
    }
    said = details(**(protocol or {}))
    facts = [upstream, condition, said, {**heard, "finished": ""}]
    fields: dict[str, Any] = {
        "status": "done",
        "digest": digest([facts, changes.get("seed", 0)]),
        "upstream": upstream,
        "downstream": "mean",
        "corpus": "emodb",
        "condition": condition,
        "protocol": "probe",
        "seed": 0,
        "protocol_details": said,
        "classes": ("anger", "neutral"),
        "predictions": found or predictions(),
        "provenance": heard,
        "notes": {"edition": "first"},
    }
    return write_result(lab, Result(**{**fields, **changes}))


def fail(lab: Path, cell_digest: str, reason: str = "out of memory") -> Path:
    return add(
        lab,
        status="failed",
        reason=reason,
        classes=(),
        predictions=None,
        digest=cell_digest,
    )
