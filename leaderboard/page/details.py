"""What the page loads of one cell when it is opened."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import METRICS, answers_by
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.page.command import command
from nserbench.leaderboard.reading.counts import Counts
from nserbench.leaderboard.tables.series import layer_weights

STEPS = 65535
"""That a fraction of 1 is cut into, so that a draw takes two bytes."""

APART = ("training", "layer_weights")
"""Notes that the page draws."""


class FoldScores(TypedDict):
    """A metric by fold, and over the predictions of all folds together."""

    pooled: float
    folds: Mapping[str, float]


class SeedDetails(TypedDict):
    """One seed; ``predictions`` is their file in the page's folder."""

    seed: int
    digest: str
    predictions: str
    metrics: Mapping[str, FoldScores]
    training: object
    recognition: Mapping[str, object]
    costs: Mapping[str, object]
    protocol: Mapping[str, object]
    provenance: Mapping[str, object]
    notes: Mapping[str, object]


class SampleDetails(TypedDict):
    """A `statistics.Sample`, so that the page can subtract two.

    ``size`` is the effective number of answers. ``seeds`` are the values with each
    seed, in the order of the runs. ``draws`` are
    unsigned 16-bit numbers in base64, little end first, of `STEPS` to 1; None with one
    unit of independence.
    """

    value: float
    size: float
    seeds: Sequence[float]
    draws: str | None


class CellDetails(TypedDict):
    """A cell; ``reasons`` says why seeds are not done."""

    command: str
    reasons: Mapping[str, str]
    classes: Sequence[str]
    confusion: Sequence[Sequence[int]]
    tested: str
    units: int
    samples: Mapping[str, SampleDetails]
    weights: Mapping[str, Mapping[str, float]]
    runs: Sequence[SeedDetails]


def details(
    results: Sequence[Result], found: Sequence[Result], files: Sequence[str]
) -> CellDetails:
    """Gather a cell.

    Args:
        results: All of its row and column.
        found: Those of them that the table averages, one for each seed.
        files: Where the page has the predictions of each of ``found``.
    """
    seeds = [one.seed for one in found] or [one.seed for one in results]
    reasons = {f"seed {one.seed}": one.reason for one in results if one.reason}
    by_seed = {one.seed: Counts.of(_answers(one)).resampled() for one in found}
    counts = list(by_seed.values())
    return CellDetails(
        command=command((found or results)[0], seeds),
        reasons=reasons,
        classes=found[0].classes if found else (),
        confusion=_confusion(counts),
        tested=f"{counts[0].tested:x}" if counts else "",
        units=len(counts[0].answers) if counts else 0,
        samples={name: _sampled(by_seed, name) for name in METRICS if counts},
        weights={
            one.group: {str(layer): round(w, 6) for layer, w in one.by_layer.items()}
            for one in layer_weights(found)
        },
        runs=[_run(one, file) for one, file in zip(found, files, strict=True)],
    )


def _run(result: Result, file: str) -> SeedDetails:
    notes = {key: one for key, one in result.notes.items() if key not in APART}
    return SeedDetails(
        seed=result.seed,
        digest=result.digest,
        predictions=file,
        metrics=_by_fold(_answers(result)),
        training=result.notes.get("training", {}),
        recognition=result.recognition,
        costs=result.costs,
        protocol=result.protocol_details,
        provenance=result.provenance,
        notes=notes,
    )


def _by_fold(answers: Predictions) -> dict[str, FoldScores]:
    names, counts = answers_by(answers)
    folds = counts.sum(axis=0)
    return {
        name: FoldScores(
            pooled=float(metric(folds.sum(axis=0))),
            folds=dict(zip(names, metric(folds).tolist(), strict=True)),
        )
        for name, metric in METRICS.items()
    }


def _answers(result: Result) -> Predictions:
    return cast(Predictions, result.predictions)  # of what is done


def _confusion(seeds: Sequence[Counts]) -> list[list[int]]:
    matrices = [one.answers.sum(axis=(0, 1)) for one in seeds]
    return np.sum(matrices, axis=0).tolist() if seeds else []


def _sampled(seeds: Mapping[int, Counts], metric: str) -> SampleDetails:
    sample = Sample.of(seeds, metric)
    return SampleDetails(
        value=sample.value,
        size=sample.size,
        seeds=sample.seed_values.tolist(),
        draws=None if sample.drawn is None else _packed(sample.drawn),
    )


def _packed(values: NDArray[np.float64]) -> str:
    return base64.b64encode(np.rint(values * STEPS).astype("<u2").tobytes()).decode()
