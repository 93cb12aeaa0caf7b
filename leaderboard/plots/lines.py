"""Lines and points with 95 % intervals, and the panels that they are drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.plots.style import (
    LINES,
    add_legend,
    label_axes,
    line_style,
    make_panels,
    panels_in_a_row,
    refuse_more,
)
from nserbench.leaderboard.tables.series import Point

PANEL = 1.9
"""Least width of a panel in inches."""
HEIGHT = 1.75
"""Height of a row of panels in inches."""
FEW = 3
"""Largest number of lines whose bands are drawn darker."""
DARK, LIGHT = 0.16, 0.07
"""Opacity of the bands of few and of many lines, from 0 to 1."""

GREY = "#777777"
"""Colour of lines among the points."""
BAR = {"elinewidth": 0.5, "capsize": 0}
"""How the bar of an interval is drawn, in points."""

Lines = Mapping[int, Sequence[Point]]
"""Points by the number of the line, which sets its colour, marker and dashes."""


def line_panels(
    titles: Sequence[str], width: float, x: str, y: str
) -> tuple[Figure, list[Axes]]:
    """Make a panel for each title, all with the same scales and labelled axes.

    The width of the figure is in inches.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    in_a_row = panels_in_a_row(len(titles), int(width / PANEL), HEIGHT)
    figure, all_axes = make_panels(
        titles, in_a_row, width, HEIGHT, width / in_a_row - 0.5
    )
    for axes in all_axes[1:]:
        axes.sharex(all_axes[0])
        axes.sharey(all_axes[0])
    label_axes(all_axes, x, y)
    return figure, all_axes


def draw_lines(axes: Axes, lines: Lines) -> None:
    """Draw each line with the band of its intervals, in percent."""
    alpha = DARK if len(lines) <= FEW else LIGHT
    for number, points in lines.items():
        style = line_style(number)
        values = [100 * point.score.value for point in points]
        axes.plot([point.x for point in points], values, **style)
        band = [
            (point.x, *(100 * bound for bound in point.score.bounds))
            for point in points
            if point.score.bounds
        ]
        x, low, high = ([corner[at] for corner in band] for at in range(3))
        axes.fill_between(x, low, high, color=style["color"], alpha=alpha, linewidth=0)


def draw_legend(figure: Figure, names: Sequence[str]) -> None:
    """Name the lines below the panels, in the order of their numbers.

    Raises:
        NserbenchError: if there are more lines than a reader can tell apart.
    """
    refuse_more(LINES, "lines", len(names))
    handles = [Line2D([], [], **line_style(number)) for number in range(len(names))]
    add_legend(figure, handles, names)


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
