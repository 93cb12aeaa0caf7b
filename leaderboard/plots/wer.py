"""Emotion recognition over the word error rate, as in Fig. 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nserbench.errors import NserbenchError
from nserbench.leaderboard.analysis.correlation import (
    FEWEST,
    Correlation,
    can_correlate,
    correlate,
    mixed_effects,
)
from nserbench.leaderboard.plots.lines import (
    GREY,
    HEIGHT,
    PANEL,
    draw_point,
    point_style,
)
from nserbench.leaderboard.plots.names import distinct_names, panel_titles
from nserbench.leaderboard.plots.style import (
    LINE,
    LINES,
    add_legend,
    label_axes,
    make_panels,
    panels_in_a_row,
    refuse_more,
    styled,
)
from nserbench.leaderboard.tables.series import WerPoint

DEPENDENT_POINTS = (
    "r, p and both intervals treat points of one upstream as independent, which they "
    "are not"
)
"""The warning below every correlation."""


def correlation(points: Sequence[WerPoint]) -> Correlation:
    """Correlate score and error rate of the points of one corpus and protocol.

    Raises:
        NserbenchError: if there are fewer than four points, all scores or all rates are
            equal, or some rates are of words and some of characters.
    """
    if len({point.measure for point in points}) > 1:
        raise NserbenchError(
            "some error rates are of words and some of characters; these cannot be "
            "compared\n  choose upstreams with --upstream"
        )
    return correlate(*_rates_and_scores(points))


def _rates_and_scores(points: Sequence[WerPoint]) -> tuple[list[float], list[float]]:
    return [point.rate for point in points], [point.score.value for point in points]


def studies(points: Sequence[WerPoint]) -> dict[str, list[WerPoint]]:
    """Divide points by corpus and protocol.

    Points of two corpora are of other utterances, and those of two protocols of other
    heads: neither belong into one regression.

    Returns:
        The points by a title that names what differs.
    """
    columns = [replace(point.column, condition="") for point in points]
    by_title: dict[str, list[WerPoint]] = {}
    for title, point in zip(panel_titles(columns), points, strict=True):
        by_title.setdefault(title, []).append(point)
    return by_title


@styled
def draw_wer(points: Sequence[WerPoint], title: str, width: float) -> Figure:
    """Draw a point for each row and condition, Pearson's r, and the regression line.

    Each corpus and protocol has a panel and an r of its own. A panel with too few
    points for r shows the points only, and says so.

    ``title`` names the metric; the width is in inches.

    Raises:
        NserbenchError: if no corpus and protocol has enough points, some rates of one
            are of words and some of characters, or there are more rows or panels than
            a figure holds.
    """
    rows = list(dict.fromkeys(point.row for point in points))
    refuse_more(LINES, "rows", len(rows))
    panels = studies(points)
    correlations = _correlations(panels)
    height = 1.3 * HEIGHT + LINE
    in_a_row = panels_in_a_row(len(panels), int(width / PANEL), height)
    figure, all_axes = make_panels(
        list(panels), in_a_row, width, height, width / in_a_row - 0.3
    )
    label_axes(all_axes, "", f"{title} (%)")
    for axes, (name, in_panel) in zip(all_axes, panels.items(), strict=True):
        lines = axes.get_title(), _r_text(correlations[name])
        axes.set_title("\n".join(filter(None, lines)))
        axes.set_xlabel(f"{in_panel[0].measure} (%)")
        for point in in_panel:
            style = point_style(rows.index(point.row))
            draw_point(axes, 100 * point.rate, point.score, **style)
        if correlations[name] is not None:
            _draw_regression(axes, in_panel)
    handles = [Line2D([], [], **point_style(number)) for number in range(len(rows))]
    names = distinct_names([(row.upstream, row.downstream) for row in rows])
    add_legend(figure, handles, names)
    return figure


def _correlations(
    panels: Mapping[str, Sequence[WerPoint]],
) -> dict[str, Correlation | None]:
    """Correlate the points of each corpus and protocol; None where they are too few."""
    enough = {
        name: can_correlate(*_rates_and_scores(points))
        for name, points in panels.items()
    }
    if not panels:
        return {"": correlation([])}  # raises, and says how many points are needed
    if len(panels) > 1 and not any(enough.values()):
        counts = [f"{name} has {len(points)}" for name, points in panels.items()]
        raise NserbenchError(
            f"no correlation: it takes {FEWEST} points or more of one corpus and "
            "protocol, that differ in both measures\n"
            f"  {'; '.join(counts)}\n"
            "  more conditions or upstreams give more points"
        )
    return {
        name: correlation(points) if enough[name] or len(panels) == 1 else None
        for name, points in panels.items()
    }


def _r_text(correlated: Correlation | None) -> str:
    """Return r and its interval by Fisher's z, as above a panel."""
    if correlated is None:
        return "too few points for r"
    return f"r = {correlated.r:.2f} {_interval(correlated.fisher)}"


def correlation_lines(points: Sequence[WerPoint]) -> list[str]:
    """Return the correlations in words, with a warning that points share upstreams.

    Raises:
        NserbenchError: as `draw_wer` does.
    """
    panels = studies(points)
    correlations = _correlations(panels)
    lines = [
        _panel_lines(name, correlated, panels[name])
        for name, correlated in correlations.items()
    ]
    enough = [name for name, correlated in correlations.items() if correlated]
    return [
        *chain.from_iterable(lines),
        DEPENDENT_POINTS,
        *(_with_name(name, _mixed_effects_line(panels[name])) for name in enough),
    ]


def _panel_lines(
    name: str, correlated: Correlation | None, points: Sequence[WerPoint]
) -> Iterator[str]:
    if correlated is None:
        few = f"no correlation over {len(points)} points"
        needed = f"it takes {FEWEST} that differ in both measures"
        yield _with_name(name, f"{few}: {needed}")
        return
    r = f"Pearson's r = {correlated.r:.3f}, p = {correlated.p:.2g}"
    fisher, bootstrap = map(_interval, (correlated.fisher, correlated.bootstrap))
    yield _with_name(name, f"{r}, {correlated.points} points")
    yield _with_name(name, f"95 % interval by Fisher's z {fisher}")
    yield _with_name(name, f"95 % interval by a bootstrap over points {bootstrap}")


def _with_name(name: str, line: str) -> str:
    return f"{name}: {line}" if name else line


def _mixed_effects_line(points: Sequence[WerPoint]) -> str:
    """Return the slope over all upstreams, or why it cannot be estimated."""
    upstreams = [point.row.upstream for point in points]
    try:
        fit = mixed_effects(*_rates_and_scores(points), upstreams)
    except NserbenchError as error:
        return " ".join(str(error).split())
    slope = fit.slope
    low, high = (10 * bound for bound in slope.bounds or ())
    return (
        f"mixed-effects model with an intercept for each of {fit.groups} upstreams: "
        f"{10 * slope.value:+.1f} points for 10 points of {points[0].measure}, 95 % "
        f"interval {_interval((low, high), '.1f')}, p = {fit.p:.2g}"
    )


def _interval(ends: tuple[float, float], form: str = ".2f") -> str:
    return f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def _draw_regression(axes: Axes, points: Sequence[WerPoint]) -> None:
    rates = np.array([100 * point.rate for point in points])
    slope, start = np.polyfit(rates, [100 * point.score.value for point in points], 1)
    ends = np.array([rates.min(), rates.max()])
    axes.plot(ends, start + slope * ends, color=GREY, linewidth=0.8, zorder=1)
