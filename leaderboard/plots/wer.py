"""How well emotions are recognised over how well words are, as Fig. 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nserbench.errors import NserbenchError
from nserbench.leaderboard.correlation import (
    Correlation,
    Mixed,
    correlate,
    mixed_effects,
)
from nserbench.leaderboard.curves import Understood
from nserbench.leaderboard.plots.lines import HEIGHT
from nserbench.leaderboard.plots.names import told_apart
from nserbench.leaderboard.plots.scatter import GREY, dot, draw_point
from nserbench.leaderboard.plots.style import (
    LINES,
    add_legend,
    label_axes,
    panels,
    refuse_more,
    styled,
)


def correlation(found: Sequence[Understood]) -> Correlation:
    """Correlate value and error rate.

    Raises:
        NserbenchError: if there are fewer than four points, one measure is the same for
            all of them, or some rates are of words and some of characters.
    """
    if len({one.measure for one in found}) > 1:
        raise NserbenchError(
            "some error rates are of words, some of characters, and do not compare\n"
            "  choose with --corpus"
        )
    return correlate([one.rate for one in found], [one.value for one in found])


@styled
def draw_wer(found: Sequence[Understood], title: str, width: float) -> Figure:
    """Draw a point for each row and condition, Pearson's r, and the line of best fit.

    Args:
        found: At least four, that differ in rate and value.
        title: What the value is.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: as `correlation` does, or if there are more rows than a figure
            holds.
    """
    rows = list(dict.fromkeys(one.row for one in found))
    refuse_more(LINES, "rows", len(rows))
    figure, (axes,) = panels([said(correlation(found))], 1, width, 1.3 * HEIGHT, width)
    for one in found:
        draw_point(axes, 100 * one.rate, one, **dot(rows.index(one.row)))
    _draw_fit(axes, found)
    label_axes([axes], f"{found[0].measure} (%)", f"{title} (%)")
    handles = [Line2D([], [], **dot(number)) for number in range(len(rows))]
    add_legend(figure, handles, told_apart([(row.upstream, row.head) for row in rows]))
    return figure


def said(found: Correlation) -> str:
    """Give r and its interval by Fisher's z, as above the figure."""
    return f"r = {found.r:.2f} {_between(found.fisher)}"


def explained(found: Sequence[Understood]) -> list[str]:
    """Say what the figure shows, and what it does not: that points share upstreams.

    Raises:
        NserbenchError: as `correlation` does.
    """
    one = correlation(found)
    rates, values = [each.rate for each in found], [each.value for each in found]
    try:
        mixed = mixed_effects(rates, values, [each.row.upstream for each in found])
        inner = _mixed_line(mixed, found[0].measure)
    except NserbenchError as error:
        inner = str(error)
    return [
        f"Pearson's r = {one.r:.3f}, p = {one.p:.2g}, {one.points} points",
        f"95 % by Fisher's z {_between(one.fisher)}",
        f"95 % by bootstrap over points {_between(one.bootstrap)}",
        "these take points for independent, though those of one upstream are not",
        inner,
    ]


def _mixed_line(found: Mixed, measure: str) -> str:
    ends = _between((10 * found.low, 10 * found.high), ".1f")
    return (
        f"with an intercept for each of {found.groups} upstreams: "
        f"{10 * found.slope:+.1f} points for 10 points of {measure}, 95 % {ends}, "
        f"p = {found.p:.2g}"
    )


def _between(ends: tuple[float, float], form: str = ".2f") -> str:
    return f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def _draw_fit(axes: Axes, found: Sequence[Understood]) -> None:
    rates = np.array([100 * one.rate for one in found])
    slope, start = np.polyfit(rates, [100 * one.value for one in found], 1)
    ends = np.array([rates.min(), rates.max()])
    axes.plot(ends, start + slope * ends, color=GREY, linewidth=0.8, zorder=1)
