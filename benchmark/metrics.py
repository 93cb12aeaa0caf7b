"""UAR, F1 and accuracy with bootstrap intervals, all from confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.predictions import Predictions

DRAWS = 2000
"""Bootstrap draws behind an interval."""

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64] | Floats


def confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Count answers, ``(classes, classes)``, a row for each true class.

    Examples:
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def answers_by(predictions: Predictions) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Count the answers to each unit of independence in each fold.

    Returns:
        The folds in sorted order, and ``(units, folds, classes, classes)``.
    """
    units, folds = sorted(set(predictions.independent)), sorted(set(predictions.folds))
    who = {name: place for place, name in enumerate(units)}
    where = {name: place for place, name in enumerate(folds)}
    classes = len(predictions.classes)
    shape = len(units), len(folds), classes, classes
    cells = np.ravel_multi_index(
        (
            [who[name] for name in predictions.independent],
            [where[name] for name in predictions.folds],
            predictions.labels,
            predictions.predicted,
        ),
        shape,
    )
    counts = np.bincount(cells, minlength=int(np.prod(shape)))
    return tuple(folds), counts.reshape(shape)


def uar(matrix: Counts) -> Floats:
    """Give the unweighted average recall: the mean over the classes with support.

    Args:
        matrix: ``(..., classes, classes)``, a row for each true class.

    Returns:
        ``(...)``, fractions of 1. NaN where a matrix counts nothing.
    """
    support = matrix.sum(axis=-1)
    return _mean(_ratio(_hits(matrix), support), support > 0)


def f1_macro(matrix: Counts) -> Floats:
    """Give the mean F1 over the classes with support; see `uar`."""
    return _mean(_f1(matrix), matrix.sum(axis=-1) > 0)


def f1_weighted(matrix: Counts) -> Floats:
    """Give the mean F1 over the utterances of each class; see `uar`."""
    return _mean(_f1(matrix), matrix.sum(axis=-1))


def accuracy(matrix: Counts) -> Floats:
    """Give the fraction of right answers; see `uar`."""
    return _ratio(_hits(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def _hits(matrix: Counts) -> Floats:
    return np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)


def _f1(matrix: Counts) -> Floats:
    """Give ``(..., classes)``, NaN for a class that is neither true nor answered."""
    return _ratio(2 * _hits(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def _ratio(above: Counts, below: Counts) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.true_divide(above, below), dtype=np.float64)


def _mean(values: Floats, weights: Counts | NDArray[np.bool_]) -> Floats:
    """Average over the last axis, leaving out what has no weight."""
    counted = np.where(weights > 0, values, 0.0) * weights
    return _ratio(counted.sum(axis=-1), weights.sum(axis=-1))


METRICS: Mapping[str, Callable[[Counts], Floats]] = MappingProxyType(
    {
        "uar": uar,
        "f1_macro": f1_macro,
        "f1_weighted": f1_weighted,
        "accuracy": accuracy,
    }
)


def mean_of_folds(metric: Callable[[Counts], Floats], matrix: Counts) -> Floats:
    """Average a metric over the folds that count anything.

    Args:
        metric: One of `METRICS`.
        matrix: ``(..., folds, classes, classes)``.

    Returns:
        ``(...)``, fractions of 1.
    """
    return _mean(metric(matrix), matrix.sum(axis=(-2, -1)) > 0)


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of a cell, as fractions of 1.

    Attributes:
        mean: Of the folds; the headline.
        pooled: Over the predictions of all folds together.
        low: Where the 95 % interval of ``mean`` begins. None with one unit.
        high: Where it ends.
        folds: The value of each fold.
    """

    mean: float
    pooled: float
    low: float | None
    high: float | None
    folds: dict[str, float]


def summarise(
    predictions: Predictions, draws: int = DRAWS, seed: int = 0
) -> dict[str, Summary]:
    """Give every metric of a cell, by the names of `METRICS`.

    Args:
        predictions: Of all folds.
        draws: Bootstrap draws behind the intervals.
        seed: Of the draws.
    """
    names, answers = answers_by(predictions)
    folds = answers.sum(axis=0)
    drawn = resample(answers, draws, seed) if len(answers) > 1 else None
    summaries = {}
    for name, metric in METRICS.items():
        low = high = None
        if drawn is not None:
            low, high = interval(mean_of_folds(metric, drawn))
        summaries[name] = Summary(
            mean=float(mean_of_folds(metric, folds)),
            pooled=float(metric(folds.sum(axis=0))),
            low=low,
            high=high,
            folds=dict(zip(names, metric(folds).tolist(), strict=True)),
        )
    return summaries


def resample(answers: NDArray[np.int64], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Draw as many units as there are, with replacement, each with its fold.

    Utterances of one unit, mostly a speaker, stand or fall together, so it is drawn
    (a bootstrap over utterances would give intervals that are too narrow).

    Args:
        answers: ``(units, folds, classes, classes)``, at least two units.
        draws: How often.
        seed: Who is drawn depends on it and on the number of units alone, so that
            two cells on the same utterances can be compared draw by draw.

    Returns:
        ``(draws, folds, classes, classes)``.

    Raises:
        ValueError: if there is one unit only, whose variance nobody can know.
    """
    count, *shape = answers.shape
    if count < 2:
        raise ValueError(
            f"an interval over speakers (or other units) needs at least 2, got {count}"
        )
    drawn = _times(count, draws, seed) @ answers.reshape(count, -1)
    return drawn.reshape(draws, *shape)


@lru_cache(maxsize=16)
def _times(count: int, draws: int, seed: int) -> Floats:
    """Give how often each unit is drawn, ``(draws, count)``."""
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    return times.astype(np.float64)  # numpy multiplies matrices fast only in floats


def interval(values: Floats) -> tuple[float, float]:
    """Give the 2.5th and the 97.5th percentile of bootstrap draws, ``(draws,)``."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
