"""The data of one cell, which the page loads when the cell is opened."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.counted import PredictionsOrCounts, answers_by
from nserbench.benchmark.results.metrics import METRICS
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.study.command import command_of
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.contamination import seen_in_training, worst
from nserbench.leaderboard.reading.counts import Counts
from nserbench.leaderboard.render.csv_json import Record
from nserbench.leaderboard.tables.series import layer_weights

STEPS = 65535
"""Steps between 0 and 1, so that a bootstrap draw takes two bytes."""

DRAWN_NOTES = ("training", "layer_weights")
"""Notes that the page draws as figures, not as text."""


def details(
    results: Sequence[Result], averaged: Sequence[Result], files: Sequence[str]
) -> Record:
    """Return all that the page shows of a cell.

    ``reasons`` says why seeds have no score. ``tested`` is the same for two cells that
    were tested on the same utterances.

    Args:
        averaged: The results that the table averages, one for each seed.
        files: The predictions of each of ``averaged``, as files of the page.
    """
    wanted = averaged or results
    by_seed = {
        result.seed: Counts.of(_answers(result)).resampled() for result in averaged
    }
    counts = list(by_seed.values())
    return {
        "command": command_of(wanted[0], [result.seed for result in wanted]),
        "reasons": {f"seed {one.seed}": one.reason for one in results if one.reason},
        "seen_in_training": worst(seen_in_training(one, one.folder) for one in wanted),
        "classes": averaged[0].classes if averaged else (),
        "confusion": _confusion(counts),
        "tested": f"{counts[0].tested:x}" if counts else "",
        "units": len(counts[0].answers) if counts else 0,
        "samples": {name: _sample(by_seed, name) for name in METRICS if counts},
        "weights": {
            weights.group: {
                str(layer): round(weight, 6)
                for layer, weight in weights.by_layer.items()
            }
            for weights in layer_weights(averaged)
        },
        "runs": list(map(_seed_details, averaged, files)),
    }


def _seed_details(result: Result, file: str) -> Record:
    """Return the results of one seed; its predictions are a file of the page."""
    notes = result.notes.items()
    return {
        "seed": result.seed,
        "digest": result.digest,
        "predictions": file,
        "metrics": _by_fold(_answers(result)),
        "training": result.notes.get("training", {}),
        "recognition": result.recognition,
        "costs": result.costs,
        "protocol": result.protocol_details,
        "provenance": result.provenance,
        "notes": {name: note for name, note in notes if name not in DRAWN_NOTES},
    }


def _by_fold(predictions: PredictionsOrCounts) -> dict[str, Record]:
    """Return metrics for each fold, and over the predictions of all folds together."""
    names, counts = answers_by(predictions)
    folds = counts.sum(axis=0)
    return {
        name: {
            "pooled": float(metric(folds.sum(axis=0))),
            "folds": dict(zip(names, metric(folds).tolist(), strict=True)),
        }
        for name, metric in METRICS.items()
    }


def _answers(result: Result) -> PredictionsOrCounts:
    # Every averaged result has them.
    return cast(PredictionsOrCounts, result.answers)


def _confusion(seeds: Sequence[Counts]) -> list[list[int]]:
    matrices = [counts.answers.sum(axis=(0, 1)) for counts in seeds]
    return np.sum(matrices, axis=0).tolist() if seeds else []


def _sample(seeds: Mapping[int, Counts], metric: str) -> Record:
    """Return a `Sample`, so that the page can compute differences.

    The bootstrap draws are unsigned 16-bit numbers in base64, little-endian, where
    `STEPS` stands for 1; None with one unit of independence.
    """
    sample = Sample.of(seeds, metric)
    return {
        "value": sample.value,
        "size": sample.size,
        "seeds": sample.seed_values.tolist(),
        "draws": None if sample.drawn is None else _packed(sample.drawn),
    }


def _packed(values: NDArray[np.float64]) -> str:
    return base64.b64encode(np.rint(values * STEPS).astype("<u2").tobytes()).decode()
