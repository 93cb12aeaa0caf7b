"""The data that the page opens with: the table, and curves through its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple
from datetime import UTC
from importlib.metadata import version
from typing import TypeAlias, TypedDict, TypeVar

import numpy as np
from scipy.special import stdtrit

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.suspect_flags import MEANINGS
from nserbench.benchmark.store.digests import digest
from nserbench.leaderboard.analysis.statistics import FEW_UNITS
from nserbench.leaderboard.page.citation import citation
from nserbench.leaderboard.page.known import known
from nserbench.leaderboard.plots.colours import COLOURS
from nserbench.leaderboard.reading.counts import Column, Row, RowColumn
from nserbench.leaderboard.render import latex
from nserbench.leaderboard.render.csv_json import Record
from nserbench.leaderboard.render.layout import (
    CHANCE_NOTE,
    FEW_NOTE,
    POOLED_NOTE,
    SEEN_NOTE,
    SUSPECT_NOTE,
    TIED_NOTE,
    TITLES,
)
from nserbench.leaderboard.render.summary_sheet import rank_note
from nserbench.leaderboard.tables.series import (
    CostPoint,
    Curve,
    clean_cell,
    layer_curves,
    on_pareto_front,
    snr_curves,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

DIGITS = 5
"""Digits of a fraction of 1; the page shows three."""

METRIC_MEANINGS = {
    "uar": "unweighted average recall",
    "f1_macro": "mean F1 of the classes",
    "f1_weighted": "mean F1 of the classes, weighted by their utterances",
    "accuracy": "share of correct predictions",
}

MARKS = {
    "tied": TIED_NOTE,
    "few": FEW_NOTE,
    "pooled": POOLED_NOTE,
    "chance": CHANCE_NOTE,
    "suspect": SUSPECT_NOTE,
    "seen": SEEN_NOTE,
}
"""What the marks on numbers mean."""

T = TypeVar("T")

Bounds: TypeAlias = tuple[float, float | None, float | None]
"""A value and its 95 % interval, fractions of 1."""


class CellFacts(TypedDict, total=False):
    """What is known of a cell besides its scores.

    ``rate`` has the measure of the error rate of transcripts, and its value. ``cost``
    has seconds, trainable and frozen parameters.
    """

    rate: tuple[str, float]
    cost: tuple[float, int | None, int | None]


def cell_id(row: Row, column: Column) -> str:
    """Return the id of a cell, which addresses and file names use."""
    names = [
        row.upstream,
        row.downstream,
        column.corpus,
        column.condition,
        column.protocol,
    ]
    return digest(names)[:16]


def index(
    table: SummaryTable, measured: Mapping[str, CellFacts], plugins: Plugins
) -> Record:
    """Return the data that the page opens with.

    Cells name rows and columns by their indices in the lists. ``student`` is the
    logarithm of the 97.5th percentile of Student's t, at equal steps of 1 / degrees of
    freedom from 0 to 1. ``measured`` has error rate and cost of the cells that have
    them, by id. The plugins say what is known of names.
    """
    columns = [_column(table, column) for column in table.columns]
    freedom = 1 / np.linspace(1e-9, 1, 401)
    return {
        "version": version("nserbench"),
        "finished": table.finished and f"{table.finished.astimezone(UTC):%Y-%m-%d}",
        "metrics": [
            {"name": name, "title": TITLES[name], "meaning": METRIC_MEANINGS[name]}
            for name in table.metrics
        ],
        "rows": [(row.upstream, row.downstream) for row in table.rows],
        "columns": columns,
        "cells": _cells(table, measured, columns),
        "snr": _snr(table),
        "layers": _curves(table, layer_curves),
        "reference": _numbers(table.rows)[table.reference] if table.reference else None,
        "ranks": [_ranking(table, metric) for metric in table.metrics],
        "protocols": [(use.name, str(use)) for use in table.protocols],
        "notes": table.notes,
        "few_units": FEW_UNITS,
        "flags": MEANINGS,
        "student": np.log(stdtrit(freedom, 0.975)).round(7).tolist(),
        "colours": COLOURS,
        "known": known(
            plugins,
            {
                "upstream": sorted({row.upstream for row in table.rows}),
                "downstream": sorted({row.downstream for row in table.rows}),
                "corpus": sorted({column.corpus for column in table.columns}),
            },
        ),
        "citation": citation(),
        "latex": {
            "escapes": latex.ESCAPES,
            "packages": latex.PACKAGES,
            "beyond": latex.BEYOND_PDFLATEX,
            "scripts": latex.OTHER_SCRIPTS,
            "fitted": latex.FITTED,
        },
        "marks": MARKS,
    }


def _numbers(names: Iterable[T]) -> dict[T, int]:
    """Return the index of each row or column."""
    return {name: number for number, name in enumerate(names)}


def _cells(
    table: SummaryTable, measured: Mapping[str, CellFacts], of_columns: Sequence[Record]
) -> list[Record]:
    rows, columns = _numbers(table.rows), _numbers(table.columns)
    fronts = _fronts(table, measured)
    return [
        {
            "id": (name := cell_id(row, column)),
            **_cell(table, entry, of_columns[columns[column]]),
            "row": rows[row],
            "column": columns[column],
            "measured": measured.get(name, {}),
            **fronts.get((row, column), {}),
        }
        for (row, column), entry in table.entries.items()
    ]


def _fronts(
    table: SummaryTable, measured: Mapping[str, CellFacts]
) -> dict[RowColumn, Record]:
    """Return, for each metric, 1 if a cell is on the Pareto front of its column."""
    spent = {
        cell: cost[0]
        for cell, entry in table.entries.items()
        if entry.scores and (cost := measured.get(cell_id(*cell), {}).get("cost"))
    }
    fronts = []
    for metric in table.metrics:
        costs = [
            CostPoint(*cell, table.entries[cell].scores[metric], seconds, None, None)
            for cell, seconds in spent.items()
        ]
        fronts.append(map(int, on_pareto_front(costs)))
    by_cell = zip(spent, zip(*fronts, strict=True), strict=True)
    return {cell: {"front": on_front} for cell, on_front in by_cell}


def _column(table: SummaryTable, column: Column) -> Record:
    """Return a column: its heading, chance by metric, and what is true of it.

    ``pooled`` says whether folds are pooled, ``repeats`` whether another corpus that
    counts in its place is the same recordings.
    """
    return {
        **asdict(column),
        "head": table.header(column),
        "pooled": any(entry.pooled for entry in table.entries_of(column)),
        "repeats": column in table.repeats,
        "chance": [_short(table.chance(column, metric)) for metric in table.metrics],
    }


def _short(fraction: float | None) -> float | None:
    return None if fraction is None else short(fraction)


def _cell(table: SummaryTable, entry: SummaryEntry, column: Record) -> Record:
    """Return what a cell shows.

    ``scores`` has, for each metric, the value, its interval, and 1 if it is tied with
    the best; ``differences`` the difference from the reference row, its interval and
    its p-value. Chance level and pooling are those of its column, unless given.
    """
    cell: Record = {
        "status": entry.status,
        "seeds": list(entry.seeds),
        "utterances": entry.utterances,
        "units": entry.units,
        "flags": list(entry.flags),
        "seen": entry.seen,
    }
    if entry.scores:
        scores = [entry.scores[metric] for metric in table.metrics]
        own = {
            "pooled": entry.pooled,
            "chance": [_short(entry.chance.get(metric)) for metric in table.metrics],
        }
        cell |= {key: value for key, value in own.items() if value != column[key]}
        cell["scores"] = [(*_bounds(score), int(score.tied)) for score in scores]
        if table.reference is not None:
            cell["differences"] = [_difference(score) for score in scores]
    return cell


def _difference(score: Score) -> tuple[float, float | None, float | None, float] | None:
    if (change := score.difference) is None:
        return None
    return *_bounds(change), round(change.p, DIGITS)


def _bounds(score: Estimate) -> Bounds:
    return short(score.value), _short(score.low), _short(score.high)


def short(fraction: float) -> float:
    """Round a fraction of 1, unless that changes the percentage that is shown.

    Examples:
        >>> short(1 / 3), short(0.812500001)
        (0.33333, 0.812500001)
    """
    rounded = round(fraction, DIGITS)
    same = f"{100 * rounded:.1f}" == f"{100 * fraction:.1f}"
    return rounded if same else fraction


def _snr(table: SummaryTable) -> list[Record]:
    """Return the SNR curves, with the scores of clean speech."""
    curves = snr_curves(table, table.metrics[0])
    return [
        {**record, "clean": _clean(table, curve)}
        for record, curve in zip(_curves(table, snr_curves), curves, strict=True)
    ]


def _clean(table: SummaryTable, curve: Curve) -> list[Bounds] | None:
    """Return the scores of the clean speech of an SNR curve, if it has any."""
    if (cell := clean_cell(table, curve)) is None:
        return None
    return [_bounds(table.entries[cell].scores[metric]) for metric in table.metrics]


def _curves(
    table: SummaryTable, find: Callable[[SummaryTable, str], Sequence[Curve]]
) -> list[Record]:
    """Return curves: for each metric, a value and its interval at every ``x``."""
    by_metric = [find(table, metric) for metric in table.metrics]
    return [
        {
            **asdict(curves[0].row),
            "group": curves[0].group,
            **asdict(curves[0].column),
            "x": [point.x for point in curves[0].points],
            "scores": [[_bounds(at.score) for at in curve.points] for curve in curves],
        }
        for curves in zip(*by_metric, strict=True)
    ]


def _ranking(table: SummaryTable, metric: str) -> Record | None:
    """Return the mean ranks by a metric; rows and columns are indices."""
    if (ranks := table.ranks_by.get(metric)) is None:
        return None
    rows = _numbers(table.rows)
    return {
        "rows": [(rows[row], *astuple(rank)) for row, rank in ranks.mean.items()],
        "columns": [
            number
            for number, column in enumerate(table.columns)
            if column in ranks.columns
        ],
        "note": rank_note(ranks, TITLES[metric], table.columns),
        "groups": [[rows[row] for row in group] for group in ranks.groups],
    }
