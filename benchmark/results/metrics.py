"""UAR, F1 and accuracy with 95 % intervals, all computed from confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.counted import PredictionsOrCounts, answers_by
from nserbench.benchmark.results.intervals import Estimate, interval_of, standard_error

DRAWS = 2000
"""Number of bootstrap draws behind an interval."""

Floats: TypeAlias = NDArray[np.float64]
CountMatrix: TypeAlias = NDArray[np.int64] | Floats


def confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return the confusion matrix, ``(classes, classes)``, a row for each true class.

    Args:
        labels: ``(utterances,)``, numbers of the true classes.
        predicted: ``(utterances,)``, numbers of the predicted classes.

    Examples:
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def _margins(matrix: CountMatrix) -> tuple[Floats, Floats, Floats]:
    """Return hits, support and number of predictions per class, ``(..., classes)``."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    support = matrix.sum(axis=-1).astype(np.float64)
    return hits, support, matrix.sum(axis=-2).astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.true_divide(above, below), dtype=np.float64)


def _mean(values: Floats, weights: Floats | NDArray[np.bool_]) -> Floats:
    """Return the weighted mean over the last axis; values of weight 0 may be NaN."""
    share = np.asarray(weights, np.float64)
    counted = np.where(share > 0, values, 0.0) * share
    return _ratio(_sum(counted), _sum(share))


def _sum(values: Floats) -> Floats:
    """Return the sum over the last axis, which is short: a product is much faster."""
    return np.asarray(values @ np.ones(values.shape[-1]), np.float64)


def _f1(hits: Floats, support: Floats, predicted: Floats) -> Floats:
    return _ratio(2 * hits, support + predicted)


_OF_MARGINS: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "uar": lambda hits, support, _: _mean(_ratio(hits, support), support > 0),
    "f1_macro": lambda *margins: _mean(_f1(*margins), margins[1] > 0),
    "f1_weighted": lambda *margins: _mean(_f1(*margins), margins[1]),
    "accuracy": lambda hits, support, _: _ratio(_sum(hits), _sum(support)),
}
"""Metrics of hits, support and number of predictions per class."""


def _metric(name: str, matrix: CountMatrix) -> Floats:
    return _OF_MARGINS[name](*_margins(matrix))


METRICS: Mapping[str, Callable[[CountMatrix], Floats]] = MappingProxyType(
    {name: partial(_metric, name) for name in _OF_MARGINS}
)
"""Metrics by name. Each takes confusion matrices, ``(..., classes, classes)``, and
returns fractions of 1, ``(...)``; NaN where a matrix counts nothing. F1 and UAR are
means over the classes with support."""


def uar(matrix: CountMatrix) -> Floats:
    """Return the unweighted average recall, the mean recall of classes with support."""
    return _metric("uar", matrix)


def mean_of_folds(
    metric: Callable[[CountMatrix], Floats], matrix: CountMatrix
) -> Floats:
    """Return the mean of a metric over the folds that hold any utterance.

    Args:
        metric: One of `METRICS`.
        matrix: ``(..., folds, classes, classes)``.

    Returns:
        ``(...)``, fractions of 1.
    """
    return _mean(metric(matrix), matrix.sum(axis=(-2, -1)) > 0)


def lacks_a_class(answers: CountMatrix) -> bool:
    """Return whether a fold has no utterance of a class that another fold has.

    Args:
        answers: ``(..., folds, classes, classes)``; the leading axes are summed.
    """
    present = answers.sum(axis=-1).reshape(-1, *answers.shape[-3:-1]).any(axis=0)
    tested = present[present.any(axis=-1)]
    return bool((tested != tested.any(axis=0)).any())


def as_scored(answers: CountMatrix) -> CountMatrix:
    """Return the counts fold by fold, or pooled as one fold where one lacks a class.

    The metric of a fold that lacks a class cannot be compared: if a fold has one class
    only, no prediction of that class is wrong, and guessing has a high F1.

    Args:
        answers: All counts of a cell, ``(..., folds, classes, classes)``.
    """
    return answers.sum(axis=-3, keepdims=True) if lacks_a_class(answers) else answers


def headline(name: str, folds: CountMatrix) -> float:
    """Return the score of a cell: the mean of folds, or pooled if one lacks a class.

    Args:
        name: A metric of `METRICS`.
        folds: ``(folds, classes, classes)``.
    """
    return float(mean_of_folds(METRICS[name], as_scored(folds)))


def chance(name: str, folds: CountMatrix) -> float:
    """Return the chance level: the `headline` of guessing each class equally often.

    It is computed from the expected confusion matrix.

    Args:
        name: A metric of `METRICS`.
        folds: ``(folds, classes, classes)``; only the support of the classes is used.
    """
    support = folds.sum(axis=-1, keepdims=True)
    guessed = np.repeat(support / folds.shape[-1], folds.shape[-1], axis=-1)
    return headline(name, guessed)


def effective_size(name: str, folds: CountMatrix) -> float:
    """Return the effective number of independent utterances behind a metric.

    A metric is a weighted sum over folds and classes. If all recalls have one value v,
    its variance is v (1 - v) / size. F1 weights classes as UAR does, weighted F1 as
    accuracy does.

    Args:
        name: A metric of `METRICS`.
        folds: ``(folds, classes, classes)``; only the support of the classes is used.
    """
    support = as_scored(folds).sum(axis=-1).astype(np.float64)
    support = support[support.any(axis=1)]
    weights = (support > 0) if name in ("uar", "f1_macro") else support
    shares = weights / weights.sum(axis=1, keepdims=True) / len(support)
    present = support > 0
    return float(1 / np.sum(shares[present] ** 2 / support[present]))


@dataclass(frozen=True, slots=True)
class Summary(Estimate):
    """One metric of a cell, as fractions of 1.

    The value is ``mean``, or ``pooled`` where a fold lacks a class.

    Attributes:
        pooled: Metric of the predictions of all folds together.
    """

    chance: float
    mean: float
    pooled: float
    folds: dict[str, float]


def summarise(
    predictions: PredictionsOrCounts, draws: int = DRAWS, seed: int = 0
) -> dict[str, Summary]:
    """Return every metric of a cell with its interval, by the names of `METRICS`."""
    names, answers = answers_by(predictions)
    folds = answers.sum(axis=0)
    drawn = bootstrap(answers, draws=draws, seed=seed) if len(answers) > 1 else {}
    summaries = {}
    for name, metric in METRICS.items():
        value = headline(name, folds)
        low = high = None
        if drawn:
            error = standard_error(drawn[name], value, len(answers))
            size = effective_size(name, folds)
            low, high = interval_of(value, error, len(answers) - 1, size)
        summaries[name] = Summary(
            value=value,
            low=low,
            high=high,
            chance=chance(name, folds),
            mean=float(mean_of_folds(metric, folds)),
            pooled=float(metric(folds.sum(axis=0))),
            folds=dict(zip(names, metric(folds).tolist(), strict=True)),
        )
    return summaries


def bootstrap(
    answers: NDArray[np.int64],
    metrics: Iterable[str] = tuple(METRICS),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Return the `headline` of each bootstrap draw, ``(draws,)``, by metric.

    Units are drawn with replacement, each with all its utterances: those of one unit,
    mostly a speaker, are not independent. A draw counts a fold as often as its units
    were drawn; otherwise folds of one unit would always count alike, and the intervals
    would be too narrow. The counts as they are decide whether folds are pooled, not
    those of a draw.

    Args:
        answers: ``(units, folds, classes, classes)``, at least two units.
        seed: Random seed. The draws depend on it and on the number of units alone, so
            that two cells on the same utterances can be compared draw by draw.

    Raises:
        ValueError: if there is one unit only.
    """
    count = len(answers)
    if count < 2:
        raise ValueError(f"a bootstrap needs at least 2 units, got {count}")
    times = _times(count, draws, seed)
    answers = np.asarray(as_scored(answers), np.int64)
    tested = answers.any(axis=(-2, -1))
    weights = times @ tested / tested.sum(axis=0)
    hits, support, predicted = (
        (times @ margin.reshape(count, -1)).reshape(draws, *margin.shape[1:])
        for margin in _margins(answers)
    )
    return {
        name: _mean(_OF_MARGINS[name](hits, support, predicted), weights).astype(
            np.float32
        )
        for name in metrics
    }


@lru_cache(maxsize=16)
def _times(count: int, draws: int, seed: int) -> Floats:
    """Return how often each unit is drawn, ``(draws, count)``."""
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    return times.astype(np.float64)  # numpy multiplies matrices fast only in floats


def interval(values: Floats) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile of bootstrap draws, ``(draws,)``."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
