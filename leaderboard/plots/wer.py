"""How well emotions are recognised over how well words are, as Fig. 6."""

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
    MixedEffects,
    can_correlate,
    correlate,
    mixed_effects,
)
from nserbench.leaderboard.plots.lines import HEIGHT, PANEL
from nserbench.leaderboard.plots.names import panel_titles, told_apart
from nserbench.leaderboard.plots.scatter import GREY, dot, draw_point
from nserbench.leaderboard.plots.style import (
    LINE,
    LINES,
    add_legend,
    label_axes,
    panels,
    refuse_more,
    styled,
)
from nserbench.leaderboard.tables.series import WerPoint

SHARED = (
    "r, p and both intervals treat points of one upstream as independent, which they "
    "are not"
)
"""What is said of every correlation."""


def correlation(found: Sequence[WerPoint]) -> Correlation:
    """Correlate value and error rate.

    Args:
        found: Of one corpus and protocol.

    Raises:
        NserbenchError: if there are fewer than four points, one measure is the same for
            all of them, or some rates are of words and some of characters.
    """
    if len({one.measure for one in found}) > 1:
        raise NserbenchError(
            "some error rates are of words, some of characters, and do not compare\n"
            "  choose with --upstream"
        )
    return correlate(*_measures(found))


def _measures(found: Sequence[WerPoint]) -> tuple[list[float], list[float]]:
    return [one.rate for one in found], [one.value for one in found]


def studies(found: Sequence[WerPoint]) -> dict[str, list[WerPoint]]:
    """Divide points by corpus and protocol, by what tells these apart.

    Points of two corpora are of other clips, and those of two protocols of other fits
    on the same clips: neither belong in one regression.
    """
    columns = [replace(one.column, condition="") for one in found]
    apart: dict[str, list[WerPoint]] = {}
    for title, one in zip(panel_titles(columns), found, strict=True):
        apart.setdefault(title, []).append(one)
    return apart


@styled
def draw_wer(found: Sequence[WerPoint], title: str, width: float) -> Figure:
    """Draw a point for each row and condition, Pearson's r, and the line of best fit.

    Each corpus and protocol has a panel of its own, and an r of its own; one whose
    points are too few for that has the points alone, and says so.

    Args:
        found: At least one corpus and protocol has four that differ in rate and value.
        title: What the value is.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if no corpus and protocol has points enough, some rates of one
            are of words and some of characters, or there are more rows or panels than
            a figure holds.
    """
    rows = list(dict.fromkeys(one.row for one in found))
    refuse_more(LINES, "rows", len(rows))
    apart = studies(found)
    fitted = _correlations(apart)
    beside = max(1, int(width / PANEL)) if len(apart) > 1 else 1
    room = width / min(beside, len(apart)) - 0.3
    figure, drawn = panels(list(apart), beside, width, 1.3 * HEIGHT + LINE, room)
    label_axes(drawn, "", f"{title} (%)")
    for axes, (name, points) in zip(drawn, apart.items(), strict=True):
        above = axes.get_title(), said(fitted[name])
        axes.set_title("\n".join(filter(None, above)))
        axes.set_xlabel(f"{points[0].measure} (%)")
        for one in points:
            draw_point(axes, 100 * one.rate, one, **dot(rows.index(one.row)))
        if fitted[name] is not None:
            _draw_fit(axes, points)
    handles = [Line2D([], [], **dot(number)) for number in range(len(rows))]
    add_legend(
        figure, handles, told_apart([(row.upstream, row.downstream) for row in rows])
    )
    return figure


def _correlations(
    apart: Mapping[str, Sequence[WerPoint]],
) -> dict[str, Correlation | None]:
    """Correlate the points of each corpus and protocol; None where they are too few.

    Raises:
        NserbenchError: if they are too few in all, or measures are mixed.
    """
    enough = {name: can_correlate(*_measures(each)) for name, each in apart.items()}
    if not apart:
        return {"": correlation([])}  # which says what it takes
    if len(apart) > 1 and not any(enough.values()):
        counted = [f"{name} has {len(each)}" for name, each in apart.items()]
        raise NserbenchError(
            f"no correlation: it takes {FEWEST} points or more of one corpus and "
            "protocol, that differ in both measures\n"
            f"  {'; '.join(counted)}\n"
            "  more conditions or upstreams give more points"
        )
    return {
        name: correlation(each) if enough[name] or len(apart) == 1 else None
        for name, each in apart.items()
    }


def said(found: Correlation | None) -> str:
    """Return r and its interval by Fisher's z, as above the figure."""
    if found is None:
        return "too few points for r"
    return f"r = {found.r:.2f} {_between(found.fisher)}"


def explained(found: Sequence[WerPoint]) -> list[str]:
    """Say what the figure shows, and what it does not: that points share upstreams.

    Raises:
        NserbenchError: as `draw_wer` does.
    """
    apart = studies(found)
    fitted = _correlations(apart)
    told = [_told(name, one, apart[name]) for name, one in fitted.items()]
    mixed = [name for name, one in fitted.items() if one is not None]
    return [
        *chain.from_iterable(told),
        SHARED,
        *(_headed(name, _mixed(apart[name])) for name in mixed),
    ]


def _told(
    name: str, one: Correlation | None, points: Sequence[WerPoint]
) -> Iterator[str]:
    """Return the lines on one corpus and protocol."""
    if one is None:
        few = f"no correlation over {len(points)} points"
        yield _headed(name, f"{few}: it takes {FEWEST} that differ in both measures")
        return
    yield _headed(
        name, f"Pearson's r = {one.r:.3f}, p = {one.p:.2g}, {one.points} points"
    )
    yield _headed(name, f"95 % by Fisher's z {_between(one.fisher)}")
    yield _headed(name, f"95 % by bootstrap over points {_between(one.bootstrap)}")


def _headed(name: str, line: str) -> str:
    return f"{name}: {line}" if name else line


def _mixed(points: Sequence[WerPoint]) -> str:
    """Say the slope over all upstreams, or why there is none."""
    upstreams = [each.row.upstream for each in points]
    try:
        found = mixed_effects(*_measures(points), upstreams)
    except NserbenchError as error:
        return " ".join(str(error).split())
    return _mixed_line(found, points[0].measure)


def _mixed_line(found: MixedEffects, measure: str) -> str:
    ends = _between((10 * found.low, 10 * found.high), ".1f")
    return (
        f"with an intercept for each of {found.groups} upstreams: "
        f"{10 * found.slope:+.1f} points for 10 points of {measure}, 95 % {ends}, "
        f"p = {found.p:.2g}"
    )


def _between(ends: tuple[float, float], form: str = ".2f") -> str:
    return f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def _draw_fit(axes: Axes, found: Sequence[WerPoint]) -> None:
    rates = np.array([100 * one.rate for one in found])
    slope, start = np.polyfit(rates, [100 * one.value for one in found], 1)
    ends = np.array([rates.min(), rates.max()])
    axes.plot(ends, start + slope * ends, color=GREY, linewidth=0.8, zorder=1)
