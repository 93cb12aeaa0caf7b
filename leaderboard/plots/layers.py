"""A metric over the layers of upstreams, as lines or as a heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nserbench.leaderboard.plots.heat import HeatPanel, draw_sheets
from nserbench.leaderboard.plots.lines import draw_legend, draw_lines, line_panels
from nserbench.leaderboard.plots.names import panel_titles, told_apart
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.tables.series import Curve, Point, layer_curves
from nserbench.leaderboard.tables.summary import SummaryTable

Panels = dict[str, dict[str, Sequence[Point]]]
"""Points by the titles of panels and the names of lines."""


def drawable(table: SummaryTable, metric: str) -> list[Curve]:
    """Give the curves that have two layers or more."""
    return [one for one in layer_curves(table, metric) if len(one.points) > 1]


@styled
def draw_layers(curves: Sequence[Curve], metric: str, width: float) -> Figure:
    """Draw a panel for each upstream and a line for each condition, as Fig. 3.

    With one condition there is a line for each upstream. Each corpus and protocol has
    panels of its own.

    Args:
        curves: At least one, as `drawable` returns them.
        metric: What the values are; one of the table's.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more lines or panels than a figure holds.
    """
    found = arranged(curves)
    names = list(dict.fromkeys(name for lines in found.values() for name in lines))
    figure, drawn = line_panels(list(found), width, "layer", f"{TITLES[metric]} (%)")
    for axes, lines in zip(drawn, found.values(), strict=True):
        draw_lines(axes, {names.index(name): lines[name] for name in lines})
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(figure, names)
    return figure


@styled
def draw_layer_heatmap(curves: Sequence[Curve], metric: str, width: float) -> Figure:
    """Draw the same as colours, as Fig. 4: a row in place of each line.

    The arguments and errors are those of `draw_layers`.
    """
    sheets = [_sheet(title, lines) for title, lines in arranged(curves).items()]
    return draw_sheets(sheets, width, f"{TITLES[metric]} (%)", x="layer")


def arranged(curves: Sequence[Curve]) -> Panels:
    """Share curves out to panels by corpus and protocol.

    A panel is of one upstream, or, where all curves are of one condition, of that.
    """
    places = [one.column for one in curves]
    rows = [(one.row.upstream, one.group, one.row.downstream) for one in curves]
    names = [place.condition for place in places]
    if len(set(names)) > 1:
        unconditional = [replace(place, condition="") for place in places]
        titles = panel_titles(unconditional, rows)
    else:
        titles, names = panel_titles(places, always="condition"), told_apart(rows)
    found: Panels = {}
    for title, name, curve in zip(titles, names, curves, strict=True):
        found.setdefault(title, {})[name] = curve.points
    return found


def _sheet(title: str, lines: dict[str, Sequence[Point]]) -> HeatPanel:
    layers = sorted({point.x for points in lines.values() for point in points})
    values = np.full((len(lines), len(layers)), np.nan)
    for row, points in zip(values, lines.values(), strict=True):
        for point in points:
            row[layers.index(point.x)] = 100 * point.value
    return HeatPanel(title, list(lines), [f"{layer:g}" for layer in layers], values)
