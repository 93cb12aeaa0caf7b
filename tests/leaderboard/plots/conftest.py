"""Results to draw figures of."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from figures import (
    HEADS,
    SNRS,
)

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.write_results import write_result


def made_up(
    upstream: str, head: str, condition: str, rng: np.random.Generator
) -> Result:
    """Make a result of eight utterances of four speakers."""
    labels = np.arange(8) % 2
    predicted = np.where(rng.random(8) < 0.7, labels, 1 - labels)
    weights = dict(zip(("1", "2"), rng.dirichlet([3, 3]).tolist(), strict=True))
    return Result(
        status="done",
        digest=f"{rng.integers(1 << 40):010x}",
        upstream=upstream,
        downstream=head,
        corpus="emodb",
        condition=condition,
        protocol="probe",
        seed=0,
        protocol_details={"name": "probe", "version": 1, "recipe": {"epochs": 50}},
        classes=("anger", "neutral"),
        predictions=Predictions(
            utterances=tuple("abcdefgh"),
            speakers=tuple("aabbccdd"),
            folds=tuple("11112222"),
            classes=("anger", "neutral"),
            labels=labels,
            predicted=predicted,
            probabilities=np.eye(2)[predicted],
        ),
        recognition={"measure": "WER", "rate": float(rng.uniform(0.1, 0.9))},
        costs={
            "extraction_seconds": float(rng.uniform(1, 100)),
            "training_seconds": 1.0,
        },
        notes={"layer_weights": {"1": {"encoder": weights}}} if head == "mean" else {},
        provenance={"finished": "2026-11-22T10:00:00+00:00"},
    )


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results of two upstreams with three heads, clean and in park noise."""
    root = tmp_path_factory.mktemp("grid")
    rng = np.random.default_rng(0)
    conditions = ("clean", *(f"park@{snr}" for snr in SNRS))
    for upstream, head, condition in itertools.product(
        ("whisper-enc", "whisper-dec"), HEADS, conditions
    ):
        write_result(root, made_up(upstream, head, condition, rng))
    return root
