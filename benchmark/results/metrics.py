"""UAR, F1 and accuracy with bootstrap intervals, all from confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.intervals import interval_of, standard_error
from nserbench.benchmark.results.predictions import Predictions

DRAWS = 2000
"""Bootstrap draws behind an interval."""

Floats: TypeAlias = NDArray[np.float64]
CountMatrix: TypeAlias = NDArray[np.int64] | Floats


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


def uar(matrix: CountMatrix) -> Floats:
    """Give the unweighted average recall: the mean over the classes with support.

    Args:
        matrix: ``(..., classes, classes)``, a row for each true class.

    Returns:
        ``(...)``, fractions of 1. NaN where a matrix counts nothing.
    """
    return _uar(*_margins(matrix))


def f1_macro(matrix: CountMatrix) -> Floats:
    """Give the mean F1 over the classes with support; see `uar`."""
    return _f1_macro(*_margins(matrix))


def f1_weighted(matrix: CountMatrix) -> Floats:
    """Give the mean F1 over the utterances of each class; see `uar`."""
    return _f1_weighted(*_margins(matrix))


def accuracy(matrix: CountMatrix) -> Floats:
    """Give the fraction of right answers; see `uar`."""
    return _accuracy(*_margins(matrix))


def _margins(matrix: CountMatrix) -> tuple[Floats, Floats, Floats]:
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


METRICS: Mapping[str, Callable[[CountMatrix], Floats]] = MappingProxyType(
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


def mean_of_folds(
    metric: Callable[[CountMatrix], Floats], matrix: CountMatrix
) -> Floats:
    """Average a metric over the folds that count anything.

    Args:
        metric: One of `METRICS`.
        matrix: ``(..., folds, classes, classes)``.

    Returns:
        ``(...)``, fractions of 1.
    """
    return _mean(metric(matrix), matrix.sum(axis=(-2, -1)) > 0)


def lacks_a_class(answers: CountMatrix) -> bool:
    """Tell whether a fold has no utterance of a class that another fold has.

    Args:
        answers: ``(..., folds, classes, classes)``; what stands before is added up.
    """
    there = answers.sum(axis=-1).reshape(-1, *answers.shape[-3:-1]).any(axis=0)
    tested = there[there.any(axis=-1)]
    return bool((tested != tested.any(axis=0)).any())


def as_scored(answers: CountMatrix) -> CountMatrix:
    """Return answers fold by fold, or as one fold where one of them lacks a class.

    A metric of a fold that lacks a class is of another kind: of one class alone, every
    answer of it is right, and guessing has an F1 far above chance.

    Args:
        answers: ``(..., folds, classes, classes)``, all that a cell has.
    """
    return answers.sum(axis=-3, keepdims=True) if lacks_a_class(answers) else answers


def headline(name: str, folds: CountMatrix) -> float:
    """Return a metric of a cell: the mean of folds, pooled where one lacks a class.

    Args:
        name: In `METRICS`.
        folds: ``(folds, classes, classes)``.
    """
    return float(mean_of_folds(METRICS[name], as_scored(folds)))


def chance(name: str, folds: CountMatrix) -> float:
    """Return the metric of guessing, every class equally often, as a `headline`.

    It is that of the confusions to be expected, which more utterances only come closer
    to.

    Args:
        name: In `METRICS`.
        folds: ``(folds, classes, classes)``; the answers in it do not matter.
    """
    support = folds.sum(axis=-1, keepdims=True)
    guessed = np.repeat(support / folds.shape[-1], folds.shape[-1], axis=-1)
    return headline(name, guessed)


def effective_size(name: str, folds: CountMatrix) -> float:
    """Return of how many independent answers a metric is as sure as a plain fraction.

    A metric is a weighted sum over folds and classes; with recalls of one size its
    variance is v (1 - v) / size. F1 counts classes as UAR does, weighted F1 as accuracy
    does.

    Args:
        name: In `METRICS`.
        folds: ``(folds, classes, classes)``; the answers in it do not matter.
    """
    support = as_scored(folds).sum(axis=-1).astype(np.float64)
    support = support[support.any(axis=1)]
    weights = (support > 0) if name in ("uar", "f1_macro") else support
    shares = weights / weights.sum(axis=1, keepdims=True) / len(support)
    there = support > 0
    return float(1 / np.sum(shares[there] ** 2 / support[there]))


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of a cell, as fractions of 1.

    Attributes:
        value: The headline: ``mean``, or ``pooled`` where a fold lacks a class.
        low: Where the 95 % interval of ``value`` begins. None with one unit.
        high: Where it ends.
        chance: What guessing every class equally often gives; see `chance`.
        mean: Of the folds.
        pooled: Over the predictions of all folds together.
        folds: The value of each fold.
    """

    value: float
    low: float | None
    high: float | None
    chance: float
    mean: float
    pooled: float
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
    """Give the headline in every draw of `resample`, ``(draws,)``, by metric.

    In a draw a fold counts as often as its units were drawn. Folds of one unit would
    otherwise count alike however often it was, and intervals come out too narrow.
    Whether folds are pooled is settled by the answers as they are, not by a draw.

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
    answers = np.asarray(as_scored(answers), np.int64)
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
