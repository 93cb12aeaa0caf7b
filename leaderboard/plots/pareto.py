"""Scores over the time that they cost, with the Pareto front of the best rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from nserbench.leaderboard.plots.lines import GREY, draw_point, line_panels, point_style
from nserbench.leaderboard.plots.names import distinct_names, panel_titles
from nserbench.leaderboard.plots.style import LINES, add_legend, refuse_more, styled
from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.tables.series import CostPoint, on_pareto_front

BEATEN: dict[str, Any] = {
    "color": "#b0b0b0",
    "marker": "o",
    "markersize": 2.5,
    "linestyle": "none",
}
"""How points off the Pareto front are drawn."""
SHORTEST = 1e-3
"""Shortest time on the axis in seconds: the precision of times in results."""


@styled
def draw_pareto(points: Sequence[CostPoint], title: str, width: float) -> Figure:
    """Draw a panel for each condition, and join the rows on the Pareto front.

    There is at least one point; ``title`` names the metric; the width is in inches.

    Raises:
        NserbenchError: if there are more rows on the front, or more panels, than a
            figure holds.
    """
    on_front = on_pareto_front(points)
    best = [point for point, kept in zip(points, on_front, strict=True) if kept]
    beaten = [point for point in points if point not in best]
    rows = list(dict.fromkeys(point.row for point in best))
    refuse_more(LINES, "rows on the Pareto front", len(rows))
    columns = list(dict.fromkeys(point.column for point in points))
    figure, all_axes = line_panels(
        panel_titles(columns, always="corpus condition"),
        width,
        "time (s)",
        f"{title} (%)",
    )
    for axes, column in zip(all_axes, columns, strict=True):
        for point in _in_column(column, beaten):
            draw_point(axes, seconds(point), point.score, **BEATEN)
        for point in _in_column(column, best):
            style = point_style(rows.index(point.row))
            draw_point(axes, seconds(point), point.score, **style)
        front = _in_column(column, best)  # the best score that a time can reach
        x, y = map(seconds, front), (100 * point.score.value for point in front)
        axes.plot(
            [*x], [*y], color=GREY, linewidth=0.8, zorder=1, drawstyle="steps-post"
        )
        _scale(axes)
    handles = [Line2D([], [], **point_style(number)) for number in range(len(rows))]
    names = distinct_names([(row.upstream, row.downstream) for row in rows])
    if beaten:
        handles.append(Line2D([], [], **BEATEN))
        names.append("beaten by another row")
    add_legend(figure, handles, names)
    return figure


def seconds(point: CostPoint) -> float:
    """Return the time in seconds, long enough for a logarithmic axis."""
    return max(point.seconds, SHORTEST)


def _in_column(column: Column, points: Sequence[CostPoint]) -> list[CostPoint]:
    return sorted((point for point in points if point.column == column), key=seconds)


def _scale(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
