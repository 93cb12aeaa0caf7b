"""Measures of robustness to noise, over all SNRs of a noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.intervals import Estimate, t_quantile
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.reading.protocol_use import ProtocolUse

Floats: TypeAlias = NDArray[np.float64]

KINDS = ("area", "slope", "loss", "corruption", "relative")
"""The measures of each metric; see `Robustness`."""


@dataclass(frozen=True, slots=True)
class RobustnessColumn:
    """A column of the robustness table: a corpus with one noise, or a mean of noises.

    Attributes:
        noises: One noise, or the noises that are averaged.
        snrs: SNRs in dB, ascending. Other SNRs have a column of their own.
    """

    corpus: str
    noises: tuple[str, ...]
    protocol: str
    snrs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WorstClass:
    """The class with the lowest recall over all folds, seeds and SNRs together."""

    name: str
    recall: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """The robustness of one row in one column.

    Attributes:
        measured: By metric and measure.
            ``area``: area under the curve of the metric over the SNR in dB, by the
            trapezoidal rule, divided by the range of the SNR.
            ``slope``: loss of the metric per dB, by least squares.
            ``loss``: from clean speech to the mean over the SNRs.
            ``corruption``: the errors, 1 - the metric, summed over the SNRs and divided
            by those of the reference row: ROBUSER's corruption error, and mCE for a
            mean of noises.
            ``relative``: the loss divided by that of the reference row: ROBUSER's
            relative corruption error, and relative mCE for a mean of noises.
            The last three are missing where they cannot be computed.
        utterances: Number of test utterances at each SNR with each seed.
        pooled: Whether a fold lacks a class; all folds are then scored together.
        chance: Chance level at each SNR, by metric.
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
    """The robustness table, before it is written.

    Attributes:
        rows: The rows of the summary table that have an entry.
        columns: By corpus and protocol; each noise, then the mean of several.
        reference: The row by whose errors and loss those of the others are divided.
        left_out: Those of the notes that name results which are not shown.
    """

    rows: Sequence[Row]
    columns: Sequence[RobustnessColumn]
    headers: Mapping[RobustnessColumn, Sequence[str]]
    metrics: Sequence[str]
    entries: Mapping[tuple[Row, RobustnessColumn], Robustness]
    reference: Row | None
    protocols: Sequence[ProtocolUse]
    notes: Sequence[str]
    left_out: Sequence[str] = ()


def area(snrs: Sequence[float], values: Floats) -> Floats:
    """Return the area under a metric over the SNR, divided by the range of the SNR.

    The SNRs are in dB, ascending, at least two. Values are ``(..., snrs)``.

    Examples:
        >>> round(float(area([-10, 0, 5], np.array([0.2, 0.4, 0.6]))), 4)
        0.3667
    """
    trapezoids = np.diff(snrs) * (values[..., 1:] + values[..., :-1]) / 2
    return np.asarray(trapezoids.sum(axis=-1) / (snrs[-1] - snrs[0]))


def slope(snrs: Sequence[float], values: Floats) -> Floats:
    """Return the loss of a metric for each dB that the SNR falls, by least squares.

    There are two SNRs in dB or more. Values are ``(..., snrs)``.

    Examples:
        >>> round(float(slope([-5, 0, 5], np.array([0.2, 0.4, 0.6]))), 4)
        0.04
    """
    centred = np.asarray(snrs) - np.mean(snrs)
    return np.asarray(values @ centred / (centred @ centred))


def loss(clean: Floats, values: Floats) -> Floats:
    """Return the loss of a metric from clean speech to the mean over the SNRs.

    The metric is ``(...)`` on clean speech, and ``(..., snrs)`` in noise.
    """
    return np.asarray(clean - values.mean(axis=-1))


def error(values: Floats) -> Floats:
    """Return the mean over the SNRs of the error, 1 - values, ``(..., snrs)``."""
    return np.asarray(1 - values.mean(axis=-1))


def interval(sample: Sample, about: float = 0.0) -> tuple[float, float] | None:
    """Return the 95 % interval of a loss, slope or ratio, by Student's t.

    Args:
        about: The value of the measure if no answer differed.

    Returns:
        None with one unit.
    """
    drawn = None if sample.drawn is None else sample.drawn - about
    changes = replace(sample, seed_values=sample.seed_values - about, drawn=drawn)
    error_and_freedom = changes.error_and_freedom()
    if error_and_freedom is None:
        return None
    error, freedom = error_and_freedom
    reach = t_quantile(freedom) * error
    low, high = sample.value - reach, sample.value + reach
    return max(low, about - sample.span), min(high, about + sample.span)


def ratio(row: Sample, reference: Sample) -> Sample | None:
    """Divide the error or the loss of a row by that of the reference.

    The ratio of errors is the corruption error, that of losses the relative corruption
    error, as in ROBUSER and ImageNet-C. The draws are those of the ratio's linear
    approximation, as for ratios in surveys. Otherwise a single draw in which the
    reference loses almost nothing would determine the interval.

    Args:
        row: Mean error of the row, or its loss.
        reference: The same measure of the reference, with the same seeds.

    Returns:
        A sample without draws if the interval of the reference includes 0, where the
        approximation does not hold; None if the reference is 0 or below.
    """
    if reference.value <= 0:
        return None
    value = row.value / reference.value
    bounds = interval(reference)
    drawn = None
    if row.drawn is not None and reference.drawn is not None:
        drawn = value + (row.drawn - value * reference.drawn) / reference.value
    holds = bounds is not None and bounds[0] > 0
    changes = row.seed_values - value * reference.seed_values
    return replace(
        row,
        seed_values=value + changes / reference.value,
        drawn=drawn if holds else None,
        span=(1 + abs(value)) / reference.value,
    )
