"""A metric over the layers of upstreams, as lines or as a heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nserbench.leaderboard.plots.heat import HeatPanel, draw_heatmaps
from nserbench.leaderboard.plots.lines import draw_legend, draw_lines, line_panels
from nserbench.leaderboard.plots.names import distinct_names, panel_titles
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.tables.series import Curve, Point, layer_curves
from nserbench.leaderboard.tables.summary import SummaryTable

Panels = dict[str, dict[str, Sequence[Point]]]
"""Points by the titles of panels and the names of lines."""


def drawable(table: SummaryTable, metric: str) -> list[Curve]:
    """Return the curves that have two layers or more."""
    return [curve for curve in layer_curves(table, metric) if len(curve.points) > 1]


@styled
def draw_layers(curves: Sequence[Curve], metric: str, width: float) -> Figure:
    """Draw a panel for each upstream and a line for each condition, as in Fig. 3.

    With one condition there is a line for each upstream. Each corpus and protocol has
    panels of its own.

    The curves are those of `drawable`, at least one; the width is in inches.

    Raises:
        NserbenchError: if there are more lines or panels than a figure holds.
    """
    panels = arranged(curves)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    figure, all_axes = line_panels(
        list(panels), width, "layer", f"{TITLES[metric]} (%)"
    )
    for axes, lines in zip(all_axes, panels.values(), strict=True):
        draw_lines(axes, {names.index(name): lines[name] for name in lines})
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(figure, names)
    return figure


@styled
def draw_layer_heatmap(curves: Sequence[Curve], metric: str, width: float) -> Figure:
    """Draw the same as a heatmap, as in Fig. 4: a row in place of each line.

    Arguments and errors are those of `draw_layers`.
    """
    panels = [_heat_panel(title, lines) for title, lines in arranged(curves).items()]
    return draw_heatmaps(panels, width, f"{TITLES[metric]} (%)", x="layer")


def arranged(curves: Sequence[Curve]) -> Panels:
    """Return the curves by panel and line; each corpus and protocol is apart.

    A panel shows one upstream; if all curves have the same condition, it shows that
    condition for all upstreams.
    """
    columns = [curve.column for curve in curves]
    rows = [(curve.row.upstream, curve.group, curve.row.downstream) for curve in curves]
    names = [column.condition for column in columns]
    if len(set(names)) > 1:
        titles = panel_titles(
            [replace(column, condition="") for column in columns], rows
        )
    else:
        titles, names = panel_titles(columns, always="condition"), distinct_names(rows)
    panels: Panels = {}
    for title, name, curve in zip(titles, names, curves, strict=True):
        panels.setdefault(title, {})[name] = curve.points
    return panels


def _heat_panel(title: str, lines: dict[str, Sequence[Point]]) -> HeatPanel:
    layers = sorted({point.x for points in lines.values() for point in points})
    values = np.full((len(lines), len(layers)), np.nan)
    for row, points in zip(values, lines.values(), strict=True):
        for point in points:
            row[layers.index(point.x)] = 100 * point.score.value
    return HeatPanel(title, list(lines), [f"{layer:g}" for layer in layers], values)
