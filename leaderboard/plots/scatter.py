"""Points with bars, which figures over words and over costs share."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from nserbench.leaderboard.plots.style import look
from nserbench.leaderboard.tables.series import CostPoint, WerPoint

GREY = "#777777"
"""Of lines among the points."""


def dot(number: int) -> dict[str, Any]:
    """Give the look of a point, by its place in the legend."""
    return {**look(number), "linestyle": "none"}


def draw_point(axes: Axes, x: float, one: CostPoint | WerPoint, **style: Any) -> None:
    """Draw a value, in percent, with its 95 % interval, at some x."""
    bars = None
    if one.low is not None and one.high is not None:
        bars = [[100 * (one.value - one.low)], [100 * (one.high - one.value)]]
    axes.errorbar([x], [100 * one.value], bars, elinewidth=0.5, capsize=0, **style)
