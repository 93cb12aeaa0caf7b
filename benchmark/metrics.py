"""UAR, F1 and accuracy with bootstrap intervals, all from confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

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
    return _uar(*_margins(matrix))


def f1_macro(matrix: Counts) -> Floats:
    """Give the mean F1 over the classes with support; see `uar`."""
    return _f1_macro(*_margins(matrix))


def f1_weighted(matrix: Counts) -> Floats:
    """Give the mean F1 over the utterances of each class; see `uar`."""
    return _f1_weighted(*_margins(matrix))


def accuracy(matrix: Counts) -> Floats:
    """Give the fraction of right answers; see `uar`."""
    return _accuracy(*_margins(matrix))


def _margins(matrix: Counts) -> tuple[Floats, Floats, Floats]:
    """Give hits, support and answers of each class, ``(..., classes)``."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    margins = hits, matrix.sum(axis=-1), matrix.sum(axis=-2)
    hits, support, given = (one.astype(np.float64) for one in margins)
    return hits, support, given


def _uar(hits: Floats, support: Floats, given: Floats) -> Floats:
    return _mean(_ratio(hits, support), support > 0)


def _f1_macro(hits: Floats, support: Floats, given: Floats) -> Floats:
    return _mean(_ratio(2 * hits, support + given), support > 0)


def _f1_weighted(hits: Floats, support: Floats, given: Floats) -> Floats:
    return _mean(_ratio(2 * hits, support + given), support)


def _accuracy(hits: Floats, support: Floats, given: Floats) -> Floats:
    return _ratio(_sum(hits), _sum(support))


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.true_divide(above, below), dtype=np.float64)


def _mean(values: Floats, weights: Floats | NDArray[np.bool_]) -> Floats:
    """Average over the last axis, leaving out what has no weight."""
    share = np.asarray(weights, np.float64)
    counted = np.where(share > 0, values, 0.0) * share
    return _ratio(_sum(counted), _sum(share))


def _sum(values: Floats) -> Floats:
    """Add up over the last axis, which is short: a product is several times as fast."""
    return np.asarray(values @ np.ones(values.shape[-1]), np.float64)


METRICS: Mapping[str, Callable[[Counts], Floats]] = MappingProxyType(
    {
        "uar": uar,
        "f1_macro": f1_macro,
        "f1_weighted": f1_weighted,
        "accuracy": accuracy,
    }
)


_OF_MARGINS: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "uar": _uar,
    "f1_macro": _f1_macro,
    "f1_weighted": _f1_weighted,
    "accuracy": _accuracy,
}


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
    drawn = bootstrap(answers, draws=draws, seed=seed) if len(answers) > 1 else {}
    summaries = {}
    for name, metric in METRICS.items():
        value = float(mean_of_folds(metric, folds))
        low = high = None
        if drawn:
            error = standard_error(drawn[name], value, len(answers))
            low, high = interval_of(value, error, len(answers) - 1)
        summaries[name] = Summary(
            mean=value,
            pooled=float(metric(folds.sum(axis=0))),
            low=low,
            high=high,
            folds=dict(zip(names, metric(folds).tolist(), strict=True)),
        )
    return summaries


def bootstrap(
    answers: NDArray[np.int64],
    metrics: Iterable[str] = tuple(METRICS),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Give the mean of folds in every draw of `resample`, ``(draws,)``, by metric.

    In a draw a fold counts as often as its units were drawn. Folds of one unit would
    otherwise count alike however often it was, and intervals come out too narrow.

    Args:
        answers: ``(units, folds, classes, classes)``, at least two units.
        metrics: Names in `METRICS`.
        draws: How often.
        seed: As in `resample`.

    Raises:
        ValueError: if there is one unit only.
    """
    count = len(answers)
    if count < 2:
        raise ValueError(f"a bootstrap needs at least 2 units, got {count}")
    times = _times(count, draws, seed)
    tested = answers.any(axis=(-2, -1))
    weights = times @ tested / tested.sum(axis=0)
    hits, support, given = (
        (times @ one.reshape(count, -1)).reshape(draws, *one.shape[1:])
        for one in _margins(answers)
    )
    return {
        name: _mean(_OF_MARGINS[name](hits, support, given), weights).astype(np.float32)
        for name in metrics
    }


def standard_error(drawn: NDArray[np.floating[Any]], value: float, units: int) -> float:
    """Give the standard error of a value from its bootstrap draws.

    Deviations are from the value, so that a bias of small folds widens it. The factor
    undoes that a bootstrap of n units has n - 1 degrees of freedom but divides by n.

    Args:
        drawn: ``(draws,)``.
        value: What was measured.
        units: How many were drawn from, at least 2.
    """
    square = np.mean(np.square(np.asarray(drawn, np.float64) - value))
    return float(np.sqrt(square * units / (units - 1)))


def interval_of(value: float, error: float, freedom: float) -> tuple[float, float]:
    """Give the 95 % interval of a fraction, by Student's t on the log-odds scale.

    As for fractions in clustered surveys (Korn and Graubard, 1998): it stays within
    0..1, and its degrees of freedom are those of the clusters.

    Args:
        value: A fraction of 1.
        error: Its standard error.
        freedom: Degrees of freedom of the error.

    Examples:
        >>> low, high = interval_of(0.9, 0.02, 9)
        >>> f"{low:.3f} {high:.3f}"
        '0.845 0.937'
    """
    if error == 0 or not 0 < value < 1:
        return value, value
    reach = float(stdtrit(freedom, 0.975)) * error / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-reach, reach]))
    return float(low), float(high)


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
