"""What the page knows from the start: the table, and curves through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TypeAlias, TypedDict

import numpy as np
from scipy.special import stdtrit

from nserbench.benchmark.results.flags import MEANINGS
from nserbench.benchmark.store.digests import digest
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.analysis.statistics import FEW_UNITS
from nserbench.leaderboard.plots.colours import COLOURS
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.render.summary_sheet import rank_note
from nserbench.leaderboard.tables.series import (
    CostPoint,
    Curve,
    Point,
    layer_curves,
    on_pareto_front,
    snr_curves,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

DIGITS = 5
"""Of a fraction of 1; the page shows three."""

METRIC_NAMES = {
    "uar": ("UAR", "unweighted average recall"),
    "f1_macro": ("F1", "mean F1 of the classes"),
    "f1_weighted": ("weighted F1", "mean F1 of the utterances' classes"),
    "accuracy": ("accuracy", "fraction of right answers"),
}

Bounds: TypeAlias = tuple[float, float | None, float | None]
"""A value and its 95 % interval, fractions of 1."""


class PageMetric(TypedDict):
    """A number that the page can show."""

    name: str
    title: str
    meaning: str


class PageColumn(TypedDict):
    """A column of the table.

    ``pooled`` says whether a fold lacks a class, so that scores are of all folds
    together; ``chance`` is what guessing gives in each metric.
    """

    corpus: str
    condition: str
    protocol: str
    head: Sequence[str]
    pooled: bool
    chance: Sequence[float | None]


class CellFacts(TypedDict, total=False):
    """What is known of a cell besides its scores.

    ``rate`` is of errors in the transcripts, with its measure; ``cost`` has seconds and
    trainable parameters.
    """

    rate: tuple[str, float]
    cost: tuple[float, int | None]


class PageEntry(TypedDict, total=False):
    """An entry of the table.

    ``scores`` holds, for each metric, the value, its interval, and 1 if it is tied with
    the best; ``differences`` the difference to the reference row, its interval and its
    p. ``front`` holds, for each metric, 1 if no row beats this one in its column, in
    value and seconds (see `pareto`); only cells that say their cost have it.
    """

    id: str
    row: int
    column: int
    status: str
    seeds: Sequence[int]
    utterances: int
    units: int
    flags: Sequence[str]
    scores: Sequence[tuple[float, float | None, float | None, int]]
    differences: Sequence[tuple[float, float, float, float] | None]
    measured: CellFacts
    front: Sequence[int]


class PageCurve(TypedDict):
    """A curve: for each metric, a value and its interval at every ``x``."""

    upstream: str
    downstream: str
    group: str
    corpus: str
    condition: str
    protocol: str
    x: Sequence[float]
    scores: Sequence[Sequence[Bounds]]


class Ranking(TypedDict):
    """Mean ranks with their intervals, best first, and which are not told apart.

    ``note`` is that of the table.
    """

    rows: Sequence[tuple[int, float, float, float]]
    note: str
    groups: Sequence[Sequence[int]]


class PageIndex(TypedDict):
    """All of it; rows and columns are named by their places in the lists.

    ``student`` is the logarithm of the 97.5th percentile of Student's t, at equal steps
    of 1 / degrees of freedom from 0 to 1.
    """

    version: str
    metrics: Sequence[PageMetric]
    rows: Sequence[tuple[str, str]]
    columns: Sequence[PageColumn]
    cells: Sequence[PageEntry]
    snr: Sequence[PageCurve]
    layers: Sequence[PageCurve]
    reference: int | None
    ranks: Ranking | None
    protocols: Sequence[str]
    notes: Sequence[str]
    few_units: int
    flags: Mapping[str, str]
    student: Sequence[float]
    colours: Sequence[str]


def cell_id(row: Row, column: Column) -> str:
    """Name a cell in addresses and files."""
    names = [
        row.upstream,
        row.downstream,
        column.corpus,
        column.condition,
        column.protocol,
    ]
    return digest(names)[:16]


def index(table: SummaryTable, measured: Mapping[str, CellFacts]) -> PageIndex:
    """Lay out the table for the page.

    Args:
        table: Where all numbers are taken from.
        measured: ``rate`` and ``cost`` of the cells that have them, by id.
    """
    rows = {row: place for place, row in enumerate(table.rows)}
    columns = {column: place for place, column in enumerate(table.columns)}
    cells = []
    fronts = _fronts(table, measured)
    for (row, column), entry in table.entries.items():
        cell = _cell(table, row, column, entry)
        cell["row"], cell["column"] = rows[row], columns[column]
        cell["measured"] = measured.get(cell["id"], CellFacts())
        if (row, column) in fronts:
            cell["front"] = fronts[row, column]
        cells.append(cell)
    return PageIndex(
        version=version("nserbench"),
        metrics=[_metric(one) for one in table.metrics],
        rows=[(row.upstream, row.downstream) for row in rows],
        columns=[_place(table, column) for column in columns],
        cells=cells,
        snr=_lines([snr_curves(table, metric) for metric in table.metrics]),
        layers=_lines([layer_curves(table, metric) for metric in table.metrics]),
        reference=rows[table.reference] if table.reference else None,
        ranks=_ranking(table, table.ranks, rows) if table.ranks else None,
        protocols=table.protocols,
        notes=table.notes,
        few_units=FEW_UNITS,
        flags=MEANINGS,
        student=_student(),
        colours=COLOURS,
    )


def _fronts(
    table: SummaryTable, measured: Mapping[str, CellFacts]
) -> dict[tuple[Row, Column], list[int]]:
    """Return, by metric, whether nothing beats a cell; for those that have a cost."""
    spent = {
        (row, column): cost[0]
        for (row, column), entry in table.entries.items()
        if entry.scores
        and (cost := measured.get(cell_id(row, column), CellFacts()).get("cost"))
    }
    found: dict[tuple[Row, Column], list[int]] = {where: [] for where in spent}
    for metric in table.metrics:
        costs = [
            CostPoint(
                *where, table.entries[where].scores[metric].value, seconds, None, None
            )
            for where, seconds in spent.items()
        ]
        for where, unbeaten in zip(spent, on_pareto_front(costs), strict=True):
            found[where].append(int(unbeaten))
    return found


def _student() -> list[float]:
    freedom = 1 / np.linspace(1e-9, 1, 401)
    return [round(one, 7) for one in np.log(stdtrit(freedom, 0.975)).tolist()]


def _metric(name: str) -> PageMetric:
    title, meaning = METRIC_NAMES[name]
    return PageMetric(name=name, title=title, meaning=meaning)


def _place(table: SummaryTable, column: Column) -> PageColumn:
    return PageColumn(
        corpus=column.corpus,
        condition=column.condition,
        protocol=column.protocol,
        head=table.header(column),
        pooled=any(entry.pooled for entry in table.entries_of(column)),
        chance=[_short(table.chance(column, metric)) for metric in table.metrics],
    )


def _short(fraction: float | None) -> float | None:
    return None if fraction is None else short(fraction)


def _cell(
    table: SummaryTable, row: Row, column: Column, entry: SummaryEntry
) -> PageEntry:
    cell = PageEntry(
        id=cell_id(row, column),
        status=entry.status,
        seeds=list(entry.seeds),
        utterances=entry.utterances,
        units=entry.units,
        flags=list(entry.flags),
    )
    if entry.scores:
        scores = [entry.scores[metric] for metric in table.metrics]
        cell["scores"] = [(*_bounds(one), int(one.tied)) for one in scores]
        if table.reference is not None:
            cell["differences"] = [_difference(one) for one in scores]
    return cell


def _difference(score: Score) -> tuple[float, float, float, float] | None:
    if (found := score.difference) is None:
        return None
    value, low, high = map(short, (found.value, found.low, found.high))
    return value, low, high, round(found.p, DIGITS)


def _bounds(one: Score | Point) -> Bounds:
    if one.low is None or one.high is None:
        return short(one.value), None, None
    return short(one.value), short(one.low), short(one.high)


def short(fraction: float) -> float:
    """Round a fraction of 1, unless a reader would then see another percentage.

    Examples:
        >>> short(1 / 3), short(0.812500001)
        (0.33333, 0.812500001)
    """
    rounded = round(fraction, DIGITS)
    same = f"{100 * rounded:.1f}" == f"{100 * fraction:.1f}"
    return rounded if same else fraction


def _lines(by_metric: Sequence[Sequence[Curve]]) -> list[PageCurve]:
    """Join the curves of the metrics, which run through the same cells."""
    return [_line(curves) for curves in zip(*by_metric, strict=True)]


def _line(curves: Sequence[Curve]) -> PageCurve:
    one = curves[0]
    return PageCurve(
        upstream=one.row.upstream,
        downstream=one.row.downstream,
        group=one.group,
        corpus=one.column.corpus,
        condition=one.column.condition,
        protocol=one.column.protocol,
        x=[point.x for point in one.points],
        scores=[[_bounds(point) for point in curve.points] for curve in curves],
    )


def _ranking(table: SummaryTable, ranks: Ranks, rows: Mapping[Row, int]) -> Ranking:
    return Ranking(
        rows=[
            (rows[row], one.value, one.low, one.high) for row, one in ranks.mean.items()
        ],
        note=rank_note(ranks, TITLES[table.metrics[0]]),
        groups=[[rows[row] for row in group] for group in ranks.groups],
    )
