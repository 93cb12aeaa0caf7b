"""How well rows stand up to a noise: numbers over all of its SNRs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.intervals import t_quantile
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Row

Floats: TypeAlias = NDArray[np.float64]

KINDS = ("area", "slope", "loss", "corruption", "relative")
"""What is measured with each metric; see `Robustness`."""


@dataclass(frozen=True, slots=True)
class RobustnessColumn:
    """Where robustness is measured: a corpus under one noise, or several.

    Attributes:
        corpus: As in tables.
        noises: One, or those that are averaged.
        protocol: Name and version.
        snrs: In dB, ascending. Rows with other SNRs do not share a column.
    """

    corpus: str
    noises: tuple[str, ...]
    protocol: str
    snrs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: As measured.
        low: Where the interval begins. None where there is none.
        high: Where it ends.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class WorstClass:
    """The class with the lowest recall.

    Attributes:
        name: Of the class.
        recall: Over all folds, seeds and SNRs together, a fraction of 1.
    """

    name: str
    recall: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """What stands where a row and a place meet.

    Attributes:
        measured: By metric and kind. ``area``: under the curve over the SNR in dB, by
            trapezoids, divided by the range, so that it is a mean of the metric.
            ``slope``: what is lost per dB, by least squares. ``loss``: from clean
            speech to the mean over the SNRs. ``corruption``: the errors, 1 - the
            metric, summed over the SNRs and divided by those of the reference row,
            which is ROBUSER's corruption error; the mean over noises is its mCE.
            ``relative``: the loss divided by that of the reference row, which is
            ROBUSER's relative corruption error; the mean over noises is its relative
            mCE. The last three are absent where they cannot be told.
        worst: The class that is found least often.
        seeds: Of the answers.
        utterances: Tested at each SNR with each seed.
        units: Of independence, behind the intervals.
        pooled: Whether a fold lacks a class, so that all folds are scored together.
        chance: By metric, what guessing every class equally often gives at each SNR.
    """

    measured: Mapping[tuple[str, str], Estimate]
    worst: WorstClass
    seeds: Sequence[int]
    utterances: int
    units: int
    pooled: bool
    chance: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RobustnessTable:
    """Rows by places, ready to be shown.

    Attributes:
        rows: As in the summary table, those that have an entry.
        places: By corpus and protocol; each noise, then the mean of several.
        headers: The lines above each place.
        metrics: By their names in `METRICS`.
        entries: Where there is a result.
        reference: The row whose errors and loss those of the others are divided by.
        protocols: A line for each way to train and test that took part.
        notes: What was averaged or left out.
    """

    rows: Sequence[Row]
    places: Sequence[RobustnessColumn]
    headers: Mapping[RobustnessColumn, Sequence[str]]
    metrics: Sequence[str]
    entries: Mapping[tuple[Row, RobustnessColumn], Robustness]
    reference: Row | None
    protocols: Sequence[str]
    notes: Sequence[str]


def area(snrs: Sequence[float], values: Floats) -> Floats:
    """Give the mean of a metric over the range of the SNR, by trapezoids.

    Args:
        snrs: In dB, ascending, at least two.
        values: ``(..., snrs)``.

    Returns:
        ``(...)``

    Examples:
        >>> round(float(area([-10, 0, 5], np.array([0.2, 0.4, 0.6]))), 4)
        0.3667
    """
    trapezoids = np.diff(snrs) * (values[..., 1:] + values[..., :-1]) / 2
    return np.asarray(trapezoids.sum(axis=-1) / (snrs[-1] - snrs[0]))


def slope(snrs: Sequence[float], values: Floats) -> Floats:
    """Give what a metric loses for each dB that the noise comes up, by least squares.

    Args:
        snrs: In dB, at least two.
        values: ``(..., snrs)``.

    Returns:
        ``(...)``, per dB.

    Examples:
        >>> round(float(slope([-5, 0, 5], np.array([0.2, 0.4, 0.6]))), 4)
        0.04
    """
    centred = np.asarray(snrs) - np.mean(snrs)
    return np.asarray(values @ centred / (centred @ centred))


def loss(clean: Floats, values: Floats) -> Floats:
    """Give what a metric loses from clean speech to the mean over the SNRs.

    Args:
        clean: ``(...)``
        values: ``(..., snrs)``.

    Returns:
        ``(...)``
    """
    return np.asarray(clean - values.mean(axis=-1))


def error(values: Floats) -> Floats:
    """Return the mean error over the SNRs, where an error is 1 - the metric.

    Args:
        values: ``(..., snrs)``.

    Returns:
        ``(...)``
    """
    return np.asarray(1 - values.mean(axis=-1))


def interval(sample: Sample, about: float = 0.0) -> tuple[float, float] | None:
    """Return the 95 % interval of what is no fraction, by Student's t.

    Args:
        sample: What was measured.
        about: The value at which no answer differs.

    Returns:
        None with one unit.
    """
    drawn = None if sample.drawn is None else sample.drawn - about
    found = replace(sample, seeds=sample.seeds - about, drawn=drawn).change()
    if found is None:
        return None
    error, freedom = found
    reach = t_quantile(freedom) * error
    low, high = sample.value - reach, sample.value + reach
    return max(low, about - sample.span), min(high, about + sample.span)


def ratio(own: Sample, reference: Sample) -> Sample | None:
    """Return errors or a loss of a row divided by those of the reference.

    Of errors it is the corruption error, of losses the relative corruption error, as
    in ROBUSER, after ImageNet-C: there both are sums over the severities, whose ratio
    is that of the means. The draws are those of the ratio's linear approximation, as
    for ratios in surveys: a draw in which the reference loses next to nothing would
    else decide the interval.

    Args:
        own: The mean error of the row, or its loss.
        reference: The same of the reference, with the same seeds.

    Returns:
        A sample without draws where the interval of the reference begins at 0 or
        below, so that the approximation does not hold; None where the reference itself
        is 0 or below.
    """
    if reference.value <= 0:
        return None
    found = own.value / reference.value
    bounds = interval(reference)
    drawn = None
    if own.drawn is not None and reference.drawn is not None:
        drawn = found + (own.drawn - found * reference.drawn) / reference.value
    holds = bounds is not None and bounds[0] > 0
    return replace(
        own,
        seeds=found + (own.seeds - found * reference.seeds) / reference.value,
        drawn=drawn if holds else None,
        span=(1 + abs(found)) / reference.value,
    )
