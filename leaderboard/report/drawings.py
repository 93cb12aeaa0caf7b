"""The figures of an experiment, drawn into files."""

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
"""What is drawn of each kind of part, by its name in `nserbench plot`."""
WIDTH = 7.0
"""Inches: two columns of a page."""


def draw_report(source: ReportData, folder: Path) -> Iterator[tuple[Path, str]]:
    """Draw every figure, and of a table by level its curves.

    Yields:
        The file of each, and why it could not be drawn; empty where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in source.experiment.parts:
        kind = "snr" if part.by_noise else FIGURES.get(part.kind)
        if kind is not None:
            for name, table in _tables(source, part):
                metric = part.metrics[-1]
                drawn = FigureData(
                    source.root,
                    table,
                    metric,
                    WIDTH,
                    heatmap=True,
                    against=source.against,
                )
                file = folder / f"{_file_name(name)}.svg"
                yield file, _draw(kind, drawn, file)


def _file_name(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower())


def _tables(source: ReportData, part: ReportItem) -> Iterator[tuple[str, SummaryTable]]:
    """Give what stands in each figure; confusions have one for each noise."""
    table = source.part(part)
    if part.kind != "confusions":
        yield part.name, table
        return
    noises: dict[str, list[Column]] = {}
    for column in table.columns:
        noise = column.condition.partition("@")[0]
        noises.setdefault(f"{column.corpus} {noise}", []).append(column)
    for noise, columns in noises.items():
        yield f"{part.name} {noise}", replace(table, columns=columns)


def _draw(kind: str, drawn: FigureData, file: Path) -> str:
    try:
        figure = make_figure(kind, drawn)
    except NserbenchError as error:
        return str(error)
    save(figure, file)
    return ""
