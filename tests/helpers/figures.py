"""Figures of small results, and the numbers that they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.make import (
    FigureData,
)
from nserbench.leaderboard.plots.style import line_style
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

SNRS = (-5, 0, 5)


HEADS = ("mean", "single:layer=1", "single:layer=2")


RECOGNITION = {
    "clean": (0.1, "11111111"),
    "park@5": (0.2, "11111110"),
    "park@0": (0.4, "11101110"),
    "park@-5": (0.7, "10101010"),
}


"""The error rate and the answers in each condition."""


def figure_data(root: Path, width: float = 3.4, *, heatmap: bool = False) -> FigureData:
    return FigureData(root, summary_table(root, ["uar"]), "uar", width, heatmap)


def line(axes: Axes, number: int) -> dict[float, float]:
    """Return the points of the line of a number."""
    style = line_style(number)
    (drawn,) = (
        candidate
        for candidate in axes.lines
        if candidate.get_color() == style["color"]
        and candidate.get_marker() == style["marker"]
        and len(candidate.get_xdata()) > 1
    )
    return dict(zip(drawn.get_xdata(), drawn.get_ydata(), strict=True))


def percent(table: SummaryTable, row: Row, condition: str) -> float:
    column = Column("emodb", condition, "probe v1")
    return 100 * table.entries[row, column].scores["uar"].value


def heatmaps(figure: Figure) -> list[tuple[Axes, np.ndarray]]:
    """Return the panels of a heatmap, with the numbers behind the colours."""
    return [
        (axes, mesh.get_array().reshape(mesh._coordinates.shape[0] - 1, -1))
        for axes in figure.axes
        for mesh in axes.collections
        if isinstance(mesh, QuadMesh) and axes.get_label() != "<colorbar>"
    ]


def title_of(axes: Axes) -> str:
    """Return the title of a panel in one line."""
    return " ".join(axes.get_title().split())
