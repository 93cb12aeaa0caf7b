"""A metric over the layers of upstreams, as lines or as a heatmap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nserbench.leaderboard.curves import Curve, Point, layer_curves
from nserbench.leaderboard.plots.heat import Sheet, draw_sheets
from nserbench.leaderboard.plots.lines import draw_legend, draw_lines, line_panels
from nserbench.leaderboard.plots.names import told_apart
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.sheet import TITLES
from nserbench.leaderboard.table import SummaryTable

Panels = dict[str, dict[str, Sequence[Point]]]
"""Points by the titles of panels and the names of lines."""


def drawable(table: SummaryTable, metric: str) -> list[Curve]:
    """Give the curves that have two layers or more."""
    return [one for one in layer_curves(table, metric) if len(one.points) > 1]


@styled
def draw_layers(table: SummaryTable, metric: str, width: float) -> Figure:
    """Draw a panel for each upstream and a line for each condition, as Fig. 3.

    With one condition there is one panel, with a line for each upstream.

    Args:
        table: With at least one curve of two layers.
        metric: One of the table's.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more lines or panels than a figure holds.
    """
    found = arranged(drawable(table, metric))
    names = list(dict.fromkeys(name for lines in found.values() for name in lines))
    figure, drawn = line_panels(list(found), width, "layer", f"{TITLES[metric]} (%)")
    for axes, lines in zip(drawn, found.values(), strict=True):
        draw_lines(axes, {names.index(name): lines[name] for name in lines})
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(figure, names)
    return figure


@styled
def draw_layer_heatmap(table: SummaryTable, metric: str, width: float) -> Figure:
    """Draw the same as colours, as Fig. 4: a row in place of each line.

    The arguments and errors are those of `draw_layers`.
    """
    sheets = [
        _sheet(title, lines)
        for title, lines in arranged(drawable(table, metric)).items()
    ]
    return draw_sheets(sheets, width, f"{TITLES[metric]} (%)", x="layer")


def arranged(curves: Sequence[Curve]) -> Panels:
    """Share curves out to panels: by upstream, or by place if there is one only."""
    ours = told_apart([(one.row.upstream, one.group, one.row.head) for one in curves])
    places = told_apart([_place(one) for one in curves], always=(1,))
    titles, names = (ours, places) if len(set(places)) > 1 else (places, ours)
    found: Panels = {}
    for title, name, curve in zip(titles, names, curves, strict=True):
        found.setdefault(title, {})[name] = curve.points
    return found


def _place(curve: Curve) -> tuple[str, str, str]:
    return curve.place.corpus, curve.place.condition, curve.place.protocol


def _sheet(title: str, lines: dict[str, Sequence[Point]]) -> Sheet:
    layers = sorted({point.x for points in lines.values() for point in points})
    values = np.full((len(lines), len(layers)), np.nan)
    for row, points in zip(values, lines.values(), strict=True):
        for point in points:
            row[layers.index(point.x)] = 100 * point.value
    return Sheet(title, list(lines), [f"{layer:g}" for layer in layers], values)
