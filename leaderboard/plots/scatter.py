"""Points with interval bars."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.plots.style import line_style

GREY = "#777777"
"""Colour of lines among the points."""
BAR = {"elinewidth": 0.5, "capsize": 0}
"""How the bar of an interval is drawn, in points."""


def point_style(number: int) -> dict[str, Any]:
    """Return colour and marker of a point, by its index in the legend."""
    return {**line_style(number), "linestyle": "none"}


def draw_point(axes: Axes, x: float, score: Estimate, **style: Any) -> None:
    """Draw a score in percent, with its 95 % interval, at an x."""
    bars = None
    if score.bounds:
        below, above = (abs(bound - score.value) for bound in score.bounds)
        bars = [[100 * below], [100 * above]]
    axes.errorbar([x], [100 * score.value], bars, **BAR | style)
