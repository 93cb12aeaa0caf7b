"""Lines with 95 % bands, and the panels that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nserbench.leaderboard.plots.style import (
    LINES,
    add_legend,
    label_axes,
    look,
    panels,
    refuse_more,
)
from nserbench.leaderboard.tables.series import Point

PANEL = 1.9
"""Inches: the least width of a panel."""
HEIGHT = 1.75
"""Inches: of a row of panels."""
FEW = 3
"""Lines whose bands hide each other little."""
DARK, LIGHT = 0.16, 0.07
"""How opaque the bands of few and of many lines are, from 0 to 1."""

Lines = Mapping[int, Sequence[Point]]
"""Points by the number of the line, which says how it looks."""


def line_panels(
    titles: Sequence[str], width: float, x: str, y: str
) -> tuple[Figure, list[Axes]]:
    """Make a panel for each title, all with the same scales.

    Args:
        titles: Of the panels.
        width: Of the figure, in inches.
        x: Name of the axis, with its unit.
        y: Likewise.

    Raises:
        NserbenchError: if there are too many.
    """
    beside = min(len(titles), max(1, int(width / PANEL)))
    figure, drawn = panels(titles, beside, width, HEIGHT, width / beside - 0.5)
    for axes in drawn[1:]:
        axes.sharex(drawn[0])
        axes.sharey(drawn[0])
    label_axes(drawn, x, y)
    return figure, drawn


def draw_lines(axes: Axes, lines: Lines) -> None:
    """Draw each line with the band of its intervals, in percent."""
    alpha = DARK if len(lines) <= FEW else LIGHT
    for number, points in lines.items():
        x, values = [one.x for one in points], [100 * one.value for one in points]
        style = look(number)
        axes.plot(x, values, **style)
        ends = [
            (one.x, 100 * one.low, 100 * one.high)
            for one in points
            if one.low is not None and one.high is not None
        ]
        x, low, high = ([end[place] for end in ends] for place in range(3))
        axes.fill_between(x, low, high, color=style["color"], alpha=alpha, linewidth=0)


def draw_legend(figure: Figure, names: Sequence[str]) -> None:
    """Name the lines below the panels, in the order of their numbers.

    Raises:
        NserbenchError: if there are more than a reader can tell apart.
    """
    refuse_more(LINES, "lines", len(names))
    handles = [Line2D([], [], **look(number)) for number in range(len(names))]
    add_legend(figure, handles, names)
