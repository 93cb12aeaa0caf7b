"""Scores over the time that they cost, with the Pareto front of the best rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

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


MARGIN = 1.3
"""Factor between the shortest or longest time and the end of the axis."""
FEWEST_TICKS, MOST_TICKS = 3, 7


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
    ends = min(map(seconds, points)) / MARGIN, max(map(seconds, points)) * MARGIN
    all_axes[0].set(xscale="log", xlim=ends)
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
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks := time_ticks(*ends), [f"{time:g}" for time in ticks])
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


def time_ticks(low: float, high: float) -> list[float]:
    """Return three to seven round times between two times in seconds.

    Examples:
        >>> time_ticks(2, 9), time_ticks(3, 400), time_ticks(0.5, 2000)
        ([2.5, 5.0, 7.5], [5.0, 10.0, 50.0, 100.0], [1.0, 10.0, 100.0, 1000.0])
    """
    steps = [LogLocator(subs=subs) for subs in ((1,), (1, 5), (1, 2, 5))]
    for locator in (*steps, *map(MaxNLocator, range(2, 9))):
        found = locator.tick_values(low, high)
        ticks = [float(f"{tick:.6g}") for tick in found if low <= tick <= high]
        if FEWEST_TICKS <= len(ticks) <= MOST_TICKS:
            break
    return ticks
