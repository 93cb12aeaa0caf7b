"""What figures show, as numbers: curves, confusions, words, costs, layer weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.word_errors import Against
from nserbench.benchmark.results.metrics import confusion
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import Column, Row, RowColumn
from nserbench.leaderboard.reading.latest import latest_results
from nserbench.leaderboard.tables.summary import Score, SummaryTable

FROM_CLEAN = "match error from clean"
"""What is said of transcripts that are compared with those of clean speech."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve; values are fractions of 1.

    Attributes:
        x: An SNR in dB, or the number of a layer.
        value: The metric.
        low: Place its 95 % interval begins; None with one speaker.
        high: Place it ends.
    """

    x: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric along an axis.

    Attributes:
        row: What was tested; of a layer curve, without the layer and the groups.
        column: Of an SNR curve, the condition is the noise alone.
        group: The groups that a layer curve's heads were told to read, as typed; empty
            where they read all that the upstream gives, and for an SNR curve.
        points: In ascending order of ``x``.
        cells: Where each point stands in the table.
    """

    row: Row
    column: Column
    group: str
    points: Sequence[Point]
    cells: Sequence[RowColumn]


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """The answers of a row in a column.

    Attributes:
        row: What was tested.
        column: Place.
        classes: In the order of the matrix.
        matrix: ``(classes, classes)``, counts over all folds and seeds, a row for each
            true class.
    """

    row: Row
    column: Column
    classes: tuple[str, ...]
    matrix: NDArray[np.int64]

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Where it stands in the table."""
        return [(self.row, self.column)]


@dataclass(frozen=True, slots=True)
class WerPoint:
    """How much was understood of the words and of the emotions, as in Fig. 6.

    Attributes:
        row: What was tested.
        column: Place.
        rate: Errors in words or characters as a fraction of those said; may exceed 1.
        value: The metric, a fraction of 1.
        measure: What ``rate`` is: ``WER``, ``CER`` or `FROM_CLEAN`.
        low: Place the 95 % interval of ``value`` begins; None with one speaker.
        high: Place it ends.
    """

    row: Row
    column: Column
    rate: float
    value: float
    measure: str
    low: float | None = None
    high: float | None = None

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Where it stands in the table."""
        return [(self.row, self.column)]


@dataclass(frozen=True, slots=True)
class CostPoint:
    """What a cell gave, and what it cost; means over seeds.

    Attributes:
        row: What was tested.
        column: Place.
        value: The metric, a fraction of 1.
        seconds: For the features of all utterances and the training of all folds; of
            an upstream that is tuned, for its tuning as well.
        trainable_parameters: Of one fold's fit; None where that is not known.
        frozen_parameters: Of the upstream; likewise.
        low: Place the 95 % interval of ``value`` begins; None with one speaker.
        high: Place it ends.
    """

    row: Row
    column: Column
    value: float
    seconds: float
    trainable_parameters: int | None
    frozen_parameters: int | None
    low: float | None = None
    high: float | None = None

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Where it stands in the table."""
        return [(self.row, self.column)]


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """How much each layer counts in a head that fuses them.

    Attributes:
        row: What was tested.
        column: Place.
        group: Whose layers.
        by_layer: The weight by the layer's number, the mean over folds and seeds.
    """

    row: Row
    column: Column
    group: str
    by_layer: Mapping[int, float]

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Where it stands in the table."""
        return [(self.row, self.column)]


def snr_curves(table: SummaryTable, metric: str) -> list[Curve]:
    """Give a curve over the SNR for each row, corpus, noise and protocol.

    Args:
        table: Place the numbers are taken from; its ``clean`` columns have no SNR.
        metric: One of the table's.
    """
    found: _Points = defaultdict(list)
    for row, column, score in _scores(table, metric):
        noise, at, snr = column.condition.rpartition("@")
        if at:
            place = Column(column.corpus, noise, column.protocol)
            found[row, place, ""].append((_point(float(snr), score), (row, column)))
    return _curves(found)


def layer_curves(table: SummaryTable, metric: str) -> list[Curve]:
    """Give a curve over the layer for each upstream, group and column.

    Args:
        table: Place the numbers are taken from: its rows with the head ``single``.
        metric: One of the table's.
    """
    found: _Points = defaultdict(list)
    for row, column, score in _scores(table, metric):
        if one := _one_layer(row):
            rest, group, layer = one
            point = _point(float(layer), score)
            found[rest, column, group].append((point, (row, column)))
    return _curves(found)


def _scores(table: SummaryTable, metric: str) -> Iterator[tuple[Row, Column, Score]]:
    """Give what is done, row by row."""
    for row in table.rows:
        for column in table.columns:
            entry = table.entries.get((row, column))
            if entry and entry.scores:
                yield row, column, entry.scores[metric]


def _point(x: float, score: Score) -> Point:
    return Point(x, score.value, score.low, score.high)


_Points: TypeAlias = dict[tuple[Row, Column, str], list[tuple[Point, RowColumn]]]
"""Points with their places, by row, column and group of the curve."""


def _curves(found: _Points) -> list[Curve]:
    curves = []
    for key, placed in found.items():
        points, cells = zip(*sorted(placed, key=lambda one: one[0].x), strict=True)
        curves.append(Curve(*key, points, cells))
    return curves


def _one_layer(row: Row) -> tuple[Row, str, int] | None:
    """Take the groups and the layer's number from a row with the head ``single``."""
    name, _, typed = row.downstream.partition(":")
    options = dict(one.split("=", 1) for one in typed.split(",") if "=" in one)
    layer = options.pop("layer", "")
    if name != "single" or not layer.isdecimal():
        return None
    group = options.pop("groups", "")
    rest = ",".join(f"{key}={value}" for key, value in options.items())
    return Row(row.upstream, f"{name}:{rest}" if rest else name), group, int(layer)


def confusions(results: Sequence[Result]) -> list[Confusion]:
    """Count the answers of each row in each column."""
    return [
        Confusion(row, column, seeds[0].classes, np.sum([*map(_matrix, seeds)], axis=0))
        for (row, column), seeds in latest_results(results).items()
    ]


def _matrix(result: Result) -> NDArray[np.int64]:
    answers = cast(Predictions, result.predictions)  # of what is done
    return confusion(answers.labels, answers.predicted, len(answers.classes))


def wer_points(
    table: SummaryTable,
    results: Sequence[Result],
    metric: str,
    against: Against = "reference",
) -> list[WerPoint]:
    """Set how well words were recognised beside how well emotions were.

    Args:
        table: Place the metric is taken from.
        results: Of the same folders; those count whose words were compared with what
            was said.
        metric: One of the table's.
        against: ``clean`` takes the match error against the transcript of clean speech
            in place of the error rate against what was said.
    """
    found, points = latest_results(results), []
    key = "rate" if against == "reference" else "clean_match_error"
    for row, column, score in _scores(table, metric):
        heard = [one.recognition for one in found.get((row, column), ())]
        if heard := [one for one in heard if key in one]:
            rate = float(np.mean([float(one[key]) for one in heard]))
            measure = str(heard[0]["measure"]) if key == "rate" else FROM_CLEAN
            ends = score.low, score.high
            points.append(WerPoint(row, column, rate, score.value, measure, *ends))
    return points


def costs(
    table: SummaryTable, results: Sequence[Result], metric: str
) -> list[CostPoint]:
    """Set what a cell cost beside what it gave.

    Args:
        table: Place the metric is taken from.
        results: Of the same folders; those count that say their seconds.
        metric: One of the table's.
    """
    found, points = latest_results(results), []
    for row, column, score in _scores(table, metric):
        spent = [one.costs for one in found.get((row, column), ())]
        if seconds := [whole for one in spent if (whole := _seconds(one)) is not None]:
            point = CostPoint(
                row,
                column,
                score.value,
                float(np.mean(seconds)),
                _count(spent[0], "trainable_parameters"),
                _count(spent[0], "frozen_parameters"),
                score.low,
                score.high,
            )
            points.append(point)
    return points


def _seconds(spent: Mapping[str, float | int | None]) -> float | None:
    """Return the seconds of all parts; None where one of them is not known."""
    # Only a cell whose upstream was tuned has seconds of tuning.
    tuned = ("tuning_seconds",) if "tuning_seconds" in spent else ()
    parts = [spent.get(name) for name in (*_ALWAYS_SPENT, *tuned)]
    known = [float(one) for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None


_ALWAYS_SPENT = ("extraction_seconds", "training_seconds")


def _count(spent: Mapping[str, float | int | None], name: str) -> int | None:
    count = spent.get(name)
    return None if count is None else int(count)


def on_pareto_front(costs: Sequence[CostPoint]) -> list[bool]:
    """Mark those that nothing in their column beats.

    One beats another if it is no worse in value and seconds, and better in one. Of
    seconds, which differ from run to run, two digits count; our choice.
    """

    def beats(one: CostPoint, other: CostPoint) -> bool:
        ours, theirs = (float(f"{cost.seconds:.2g}") for cost in (one, other))
        worse = one.value < other.value or ours > theirs
        better = one.value > other.value or ours < theirs
        return one.column == other.column and better and not worse

    return [not any(beats(rival, cost) for rival in costs) for cost in costs]


def layer_weights(results: Sequence[Result]) -> list[LayerWeights]:
    """Give the weights of layers, for each group of every head that has them.

    Raises:
        BadResult: if weights are no numbers by fold, group and layer.
    """
    averaged = []
    for (row, column), seeds in latest_results(results).items():
        found: dict[str, dict[int, list[float]]] = {}
        for group, layer, weight in chain.from_iterable(map(_weights, seeds)):
            found.setdefault(group, {}).setdefault(layer, []).append(weight)
        for group, layers in found.items():
            means = {layer: float(np.mean(layers[layer])) for layer in sorted(layers)}
            averaged.append(LayerWeights(row, column, group, means))
    return averaged


def _weights(result: Result) -> list[tuple[str, int, float]]:
    """Give group, layer and weight, fold by fold."""
    noted = cast("dict[str, dict[str, dict[str, dict[str, float]]]]", result.notes)
    try:
        return [
            (group, int(layer), float(weight))
            for fold in noted.get("layer_weights", {}).values()
            for group, layers in fold.items()
            for layer, weight in layers.items()
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise BadResult(
            f"{result.folder}: notes.layer_weights holds no numbers by fold, group and "
            "layer\n  delete its folder and run the cell again"
        ) from error
