"""Points with interval bars, for the figures of word errors and of costs."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from nserbench.leaderboard.plots.style import line_style
from nserbench.leaderboard.tables.series import CostPoint, WerPoint

GREY = "#777777"
"""Colour of lines among the points."""


def point_style(number: int) -> dict[str, Any]:
    """Return colour and marker of a point, by its index in the legend."""
    return {**line_style(number), "linestyle": "none"}


def draw_point(axes: Axes, x: float, point: CostPoint | WerPoint, **style: Any) -> None:
    """Draw a score in percent, with its 95 % interval, at an x."""
    bars = None
    if point.low is not None and point.high is not None:
        below, above = point.value - point.low, point.high - point.value
        bars = [[100 * below], [100 * above]]
    axes.errorbar([x], [100 * point.value], bars, elinewidth=0.5, capsize=0, **style)
