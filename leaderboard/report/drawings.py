"""Draw the figures of an experiment into files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nserbench.benchmark.experiments.layout import ReportItem
from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.make import FigureData, make_figure
from nserbench.leaderboard.plots.style import save
from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.report.source import ReportData
from nserbench.leaderboard.tables.summary import SummaryTable

FIGURES = {"layers": "layers", "confusions": "confusion", "understood": "wer"}
"""The figure of `nserbench plot` that is drawn for each kind of report item."""
WIDTH = 7.0
"""Width of a figure in inches: two columns of a page."""


def draw_report(data: ReportData, folder: Path) -> Iterator[tuple[Path, str]]:
    """Draw every figure of an experiment, and SNR curves for each table by SNR.

    Yields:
        The file of each figure, and why it could not be drawn; empty if it was drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for item in data.experiment.parts:
        kind = "snr" if item.by_noise else FIGURES.get(item.kind)
        if kind is None:
            continue
        for name, table in _tables(data, item):
            figure_data = FigureData(
                data.root,
                table,
                item.metrics[-1],
                WIDTH,
                heatmap=True,
                against=data.against,
            )
            file = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.svg"
            yield file, _draw(kind, figure_data, file)


def _tables(data: ReportData, item: ReportItem) -> Iterator[tuple[str, SummaryTable]]:
    """Yield the name and the scores of each figure; confusions have one a noise."""
    table = data.table_of(item)
    if item.kind != "confusions":
        yield item.name, table
        return
    noises: dict[str, list[Column]] = {}
    for column in table.columns:
        noise = column.condition.partition("@")[0]
        noises.setdefault(f"{column.corpus} {noise}", []).append(column)
    for noise, columns in noises.items():
        yield f"{item.name} {noise}", replace(table, columns=columns)


def _draw(kind: str, figure_data: FigureData, file: Path) -> str:
    try:
        figure = make_figure(kind, figure_data)
    except NserbenchError as error:
        return str(error)
    save(figure, file)
    return ""
