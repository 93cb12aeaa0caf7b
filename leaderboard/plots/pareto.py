"""What cells give over what they cost; those that nothing beats are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from nserbench.leaderboard.plots.lines import line_panels
from nserbench.leaderboard.plots.names import panel_titles, told_apart
from nserbench.leaderboard.plots.scatter import GREY, dot, draw_point
from nserbench.leaderboard.plots.style import (
    LINES,
    add_legend,
    refuse_more,
    styled,
)
from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.tables.series import CostPoint, on_pareto_front

BEATEN: dict[str, Any] = {
    "color": "#b0b0b0",
    "marker": "o",
    "markersize": 2.5,
    "linestyle": "none",
}
INSTANT = 1e-3
"""Seconds: the step in which results say them, and where the axis begins."""


@styled
def draw_pareto(found: Sequence[CostPoint], title: str, width: float) -> Figure:
    """Draw a panel for each condition, with the rows that nothing beats joined.

    Args:
        found: At least one.
        title: What the value is.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more named rows or panels than a figure holds.
    """
    best = [
        one
        for one, unbeaten in zip(found, on_pareto_front(found), strict=True)
        if unbeaten
    ]
    beaten = [one for one in found if one not in best]
    rows = list(dict.fromkeys(one.row for one in best))
    refuse_more(LINES, "rows that nothing beats", len(rows))
    columns = list(dict.fromkeys(one.column for one in found))
    figure, drawn = line_panels(
        panel_titles(columns, always="corpus condition"),
        width,
        "time (s)",
        f"{title} (%)",
    )
    for axes, column in zip(drawn, columns, strict=True):
        for one in _of(column, beaten):
            draw_point(axes, seconds(one), one, **BEATEN)
        for one in _of(column, best):
            draw_point(axes, seconds(one), one, **dot(rows.index(one.row)))
        _join(axes, _of(column, best))
        _scale(axes)
    handles = [Line2D([], [], **dot(number)) for number in range(len(rows))]
    names = told_apart([(row.upstream, row.downstream) for row in rows])
    if beaten:
        handles, names = [*handles, Line2D([], [], **BEATEN)], [*names, "beaten"]
    add_legend(figure, handles, names)
    return figure


def seconds(one: CostPoint) -> float:
    """Give a cost that a logarithmic axis can show."""
    return max(one.seconds, INSTANT)


def _of(column: Column, found: Sequence[CostPoint]) -> list[CostPoint]:
    return sorted((one for one in found if one.column == column), key=seconds)


def _join(axes: Axes, best: Sequence[CostPoint]) -> None:
    """Draw the best value that can be had in some time, as stairs."""
    x, y = [seconds(one) for one in best], [100 * one.value for one in best]
    axes.plot(x, y, color=GREY, linewidth=0.8, zorder=1, drawstyle="steps-post")


def _scale(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
