"""The data of figures: curves, confusion matrices, WER, costs and layer weights."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.word_errors import Against
from nserbench.benchmark.results.counted import PredictionsOrCounts, confusion_of
from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.result import Result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import Column, Row, RowColumn
from nserbench.leaderboard.reading.latest import latest_results
from nserbench.leaderboard.tables.summary import Score, SummaryTable
from nserbench.plain_data import whole_number

FROM_CLEAN = "match error from clean"
"""Name of the measure that compares transcripts with those of clean speech."""


@dataclass(frozen=True, slots=True)
class Point:
    """A score at an SNR in dB, or of the layer with a number."""

    x: float
    score: Score


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric along an axis.

    Attributes:
        row: The row; of a layer curve, without the layer and the groups.
        column: The column; of an SNR curve, its condition is the noise alone.
        group: Value of the head's option ``groups`` in a layer curve; empty if the head
            reads all groups, and for an SNR curve.
        cells: Row and column of each point in the table.
    """

    row: Row
    column: Column
    group: str
    points: Sequence[Point]
    cells: Sequence[RowColumn]


@dataclass(frozen=True, slots=True, eq=False)
class InOneCell:
    """Figure data of a single cell of the table."""

    row: Row
    column: Column

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Row and column in the table."""
        return [(self.row, self.column)]


@dataclass(frozen=True, slots=True, eq=False)
class Confusion(InOneCell):
    """The confusion matrix of a row in a column.

    Attributes:
        matrix: ``(classes, classes)``, counts over all folds and seeds, a row for each
            true class.
    """

    classes: tuple[str, ...]
    matrix: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WerPoint(InOneCell):
    """Errors of speech recognition and a metric of emotion recognition, as in Fig. 6.

    Attributes:
        rate: Error rate as a fraction of the words or characters; may exceed 1.
        measure: What ``rate`` is: ``WER``, ``CER`` or `FROM_CLEAN`.
        compared: Of how many clips it is, such as ``17 of 18``, where some have no text
            to compare with; else empty.
    """

    rate: float
    score: Estimate
    measure: str
    compared: str = ""


@dataclass(frozen=True, slots=True)
class CostPoint(InOneCell):
    """The score of a cell, and the time and parameters it takes; means over seeds.

    Attributes:
        seconds: Time in s to extract the features of all utterances and train all
            folds, with the fine-tuning of a fine-tuned upstream.
        trainable_parameters: Number in one fold; None if not known.
        frozen_parameters: Number in the upstream; None if not known.
    """

    score: Estimate
    seconds: float
    trainable_parameters: int | None
    frozen_parameters: int | None


@dataclass(frozen=True, slots=True)
class LayerWeights(InOneCell):
    """The layer weights of a head that fuses layers.

    Attributes:
        by_layer: Weight by the number of the layer, mean over folds and seeds.
    """

    group: str
    by_layer: Mapping[int, float]


def snr_curves(table: SummaryTable, metric: str) -> list[Curve]:
    """Return a curve over the SNR for each row, corpus, noise and protocol.

    Clean speech is in no curve; see `clean_cell`.
    """
    points: _Points = defaultdict(list)
    for row, column, score in _scores(table, metric):
        noise, at, snr = column.condition.rpartition("@")
        if at:
            key = row, Column(column.corpus, noise, column.protocol), ""
            points[key].append((Point(float(snr), score), (row, column)))
    return _curves(points)


def clean_cell(table: SummaryTable, curve: Curve) -> RowColumn | None:
    """Return row and column of the clean speech of an SNR curve, if it has a score."""
    column = Column(curve.column.corpus, "clean", curve.column.protocol)
    entry = table.entries.get((curve.row, column))
    done = entry is not None and bool(entry.scores) and column in table.columns
    return (curve.row, column) if done else None


def layer_curves(table: SummaryTable, metric: str) -> list[Curve]:
    """Return a curve over the layer for each upstream, group and column.

    Only rows with the head ``single`` are taken.
    """
    points: _Points = defaultdict(list)
    for row, column, score in _scores(table, metric):
        if single := _single_layer(row):
            rest, group, layer = single
            point = Point(float(layer), score)
            points[rest, column, group].append((point, (row, column)))
    return _curves(points)


def _scores(table: SummaryTable, metric: str) -> Iterator[tuple[Row, Column, Score]]:
    for row in table.rows:
        for column in table.columns:
            entry = table.entries.get((row, column))
            if entry and entry.scores:
                yield row, column, entry.scores[metric]


_Points: TypeAlias = dict[tuple[Row, Column, str], list[tuple[Point, RowColumn]]]
"""Points with their rows and columns in the table, by curve."""


def _curves(by_curve: _Points) -> list[Curve]:
    curves = []
    for key, pairs in by_curve.items():
        points, cells = zip(*sorted(pairs, key=lambda pair: pair[0].x), strict=True)
        curves.append(Curve(*key, points, cells))
    return curves


def _single_layer(row: Row) -> tuple[Row, str, int] | None:
    """Split a row with the head ``single`` into the rest, the groups and the layer."""
    name, _, text = row.downstream.partition(":")
    options = dict(item.split("=", 1) for item in text.split(",") if "=" in item)
    layer = options.pop("layer", "")
    if name != "single" or not _LAYER.fullmatch(layer):
        return None
    group = options.pop("groups", "")
    rest = ",".join(f"{key}={value}" for key, value in options.items())
    return Row(row.upstream, f"{name}:{rest}" if rest else name), group, int(layer)


_LAYER = re.compile("[0-9]{1,9}")


def confusions(results: Sequence[Result]) -> list[Confusion]:
    """Return the confusion matrix of each row in each column."""
    return [
        Confusion(row, column, seeds[0].classes, np.sum([*map(_matrix, seeds)], axis=0))
        for (row, column), seeds in latest_results(results).items()
    ]


def _matrix(result: Result) -> NDArray[np.int64]:
    # Only finished results come here, and they have predictions.
    return confusion_of(cast(PredictionsOrCounts, result.answers))


def wer_points(
    table: SummaryTable,
    results: Sequence[Result],
    metric: str,
    against: Against = "reference",
) -> list[WerPoint]:
    """Return the error rate and a metric of each cell that has an error rate.

    The results are those of the table. The error rate is against the reference
    transcript, or the match error against the transcript of clean speech.
    """
    latest, points = latest_results(results), []
    key = "rate" if against == "reference" else "clean_match_error"
    for row, column, score in _scores(table, metric):
        seeds = latest.get((row, column), ())
        if errors := [one.recognition for one in seeds if key in one.recognition]:
            rate = float(np.mean([float(recognition[key]) for recognition in errors]))
            measure = str(errors[0]["measure"]) if key == "rate" else FROM_CLEAN
            part = _compared(errors[0]) if key == "rate" else ""
            points.append(WerPoint(row, column, rate, score, measure, part))
    return points


def _compared(errors: Mapping[str, str | float | int]) -> str:
    """Return of how many clips an error rate is; empty if it is of all."""
    compared, clips = errors.get("utterances"), errors.get("clips")
    return "" if clips == compared or clips is None else f"{compared} of {clips}"


def coverage_lines(points: Sequence[WerPoint]) -> list[str]:
    """Return of how many clips an error rate is, where not all have a text."""
    parts = {
        f"error rates of {point.column.corpus}: of {point.compared} clips, since the "
        "others have no text"
        for point in points
        if point.compared
    }
    return sorted(parts)


def costs(
    table: SummaryTable, results: Sequence[Result], metric: str
) -> list[CostPoint]:
    """Return the cost and a metric of each cell whose time is known.

    The results are those of the table.
    """
    latest, points = latest_results(results), []
    for row, column, score in _scores(table, metric):
        seeds = [result.costs for result in latest.get((row, column), ())]
        if seconds := [time for seed in seeds if (time := _seconds(seed)) is not None]:
            point = CostPoint(
                row,
                column,
                score,
                float(np.mean(seconds)),
                _count(seeds[0], "trainable_parameters"),
                _count(seeds[0], "frozen_parameters"),
            )
            points.append(point)
    return points


def _seconds(cost: Mapping[str, float | int | None]) -> float | None:
    """Return the time of all steps in s; None if that of one step is not known."""
    # Only a cell with a fine-tuned upstream has the time of fine-tuning.
    fine_tuning = ("tuning_seconds",) if "tuning_seconds" in cost else ()
    steps = [cost.get(name) for name in (*_STEPS, *fine_tuning)]
    known = [float(seconds) for seconds in steps if seconds is not None]
    return sum(known) if len(known) == len(steps) else None


_STEPS = ("extraction_seconds", "training_seconds")


def _count(cost: Mapping[str, float | int | None], name: str) -> int | None:
    count = cost.get(name)
    return None if count is None else int(count)


def on_pareto_front(costs: Sequence[CostPoint]) -> list[bool]:
    """Return for each point whether it is on the Pareto front of its column.

    It is unless another point dominates it: no worse in value and time, and better in
    one of them. Times are compared with two digits, since they vary from run to run;
    this is our choice.
    """

    def dominates(first: CostPoint, second: CostPoint) -> bool:
        time, other = (float(f"{cost.seconds:.2g}") for cost in (first, second))
        worse = first.score.value < second.score.value or time > other
        better = first.score.value > second.score.value or time < other
        return better and not worse

    rivals: dict[Column, list[CostPoint]] = defaultdict(list)
    for cost in costs:
        rivals[cost.column].append(cost)
    return [
        not any(dominates(other, cost) for other in rivals[cost.column])
        for cost in costs
    ]


def layer_weights(results: Sequence[Result]) -> list[LayerWeights]:
    """Return the layer weights of each group, for every head that has them.

    Raises:
        BadResult: if the weights are not numbers by fold, group and layer.
    """
    averaged = []
    for (row, column), seeds in latest_results(results).items():
        groups: dict[str, dict[int, list[float]]] = {}
        for group, layer, weight in chain.from_iterable(map(_weights, seeds)):
            groups.setdefault(group, {}).setdefault(layer, []).append(weight)
        for group, layers in groups.items():
            means = {layer: float(np.mean(layers[layer])) for layer in sorted(layers)}
            averaged.append(LayerWeights(row, column, group, means))
    return averaged


def _weights(result: Result) -> list[tuple[str, int, float]]:
    """Return group, layer and weight, fold by fold."""
    notes = cast("dict[str, dict[str, dict[str, dict[str, float]]]]", result.notes)
    try:
        return [
            (group, whole_number(layer), float(weight))
            for fold in notes.get("layer_weights", {}).values()
            for group, layers in fold.items()
            for layer, weight in layers.items()
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise BadResult(
            f"{result.folder}: notes.layer_weights must hold numbers by fold, group "
            "and layer\n  delete the folder and run the cell again"
        ) from error
