"""Small results, each made in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.write_results import write_result

Add = Callable[..., Path]

NO_WEIGHTS = {"trained_on": {"corpora": [], "complete": True, "said": True}}
SPEAKERS = ("ann", "ann", "bob", "bob", "cid", "cid", "dot", "dot")


def _predictions(right: str, speakers: tuple[str, ...]) -> Predictions:
    labels = np.arange(len(right)) % 2
    predicted = np.where([one == "1" for one in right], labels, 1 - labels)
    return Predictions(
        utterances=tuple(f"u{number}" for number in range(len(right))),
        speakers=speakers[: len(right)],
        folds=tuple("12"[number // 4] for number in range(len(right))),
        classes=("anger", "neutral"),
        labels=labels,
        predicted=predicted,
        probabilities=np.eye(2)[predicted],
    )


def adder(root: Path) -> Add:
    """Return a function that writes a result; ``right`` says which answers are right.

    The eight utterances are two each of four speakers, four each of two folds. Unless
    the notes say otherwise, the upstream has no weights.
    """
    made = []

    def write(
        upstream: str = "mel",
        head: str = "mean",
        condition: str = "clean",
        right: str | None = "11111111",
        *,
        speakers: tuple[str, ...] = SPEAKERS,
        version: int = 1,
        epochs: int = 50,
        provenance: dict[str, object] | None = None,
        notes: dict[str, object] | None = None,
        **changes: Any,
    ) -> Path:
        made.append(upstream)
        details: dict[str, object] = {"name": "probe", "version": version}
        if right is not None:
            details |= {"recipe": {"epochs": epochs, "standardise": True}}
        fields: dict[str, Any] = {
            "status": "done",
            "digest": f"{len(made):010x}",
            "upstream": upstream,
            "downstream": head,
            "corpus": "emodb",
            "condition": condition,
            "protocol": "probe",
            "seed": 0,
            "protocol_details": details,
            "classes": ("anger", "neutral"),
            "predictions": right and _predictions(right, speakers),
            "provenance": {
                "finished": f"2026-11-22T10:00:{len(made):02}+00:00",
                **(provenance or {}),
            },
            "notes": {**NO_WEIGHTS, **(notes or {})},
        }
        return write_result(root, Result(**{**fields, **changes}))

    return write
