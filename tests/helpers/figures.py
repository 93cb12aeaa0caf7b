"""Figures of small results, and the numbers that they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from values import not_none

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


def points_of(line: Line2D) -> NDArray[np.float64]:
    """Return the points of a line, ``(points, 2)``."""
    return np.asarray(line.get_xydata(), np.float64)


def line(axes: Axes, number: int) -> dict[float, float]:
    """Return the points of the line of a number."""
    style = line_style(number)
    (drawn,) = (
        candidate
        for candidate in axes.lines
        if candidate.get_color() == style["color"]
        and candidate.get_marker() == style["marker"]
        and len(points_of(candidate)) > 1
    )
    return dict(points_of(drawn).tolist())


def percent(table: SummaryTable, row: Row, condition: str) -> float:
    column = Column("emodb", condition, "probe v1")
    return 100 * table.entries[row, column].scores["uar"].value


def cells_of(mesh: QuadMesh) -> NDArray[Any]:
    """Return the numbers of a heatmap, ``(rows, columns)``, masked where none is."""
    corners = np.shape(mesh.get_coordinates())
    return not_none(mesh.get_array()).reshape(corners[0] - 1, corners[1] - 1)


def heatmaps(figure: Figure) -> list[tuple[Axes, NDArray[Any]]]:
    """Return the panels of a heatmap, with the numbers behind the colours."""
    return [
        (axes, cells_of(mesh))
        for axes in figure.axes
        for mesh in axes.collections
        if isinstance(mesh, QuadMesh) and axes.get_label() != "<colorbar>"
    ]


def title_of(axes: Axes) -> str:
    """Return the title of a panel in one line."""
    return " ".join(axes.get_title().split())
