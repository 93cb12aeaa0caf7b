"""Heatmaps: panels of coloured squares with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nserbench.leaderboard.plots.style import (
    CHARACTER,
    LINE,
    edges,
    label_axes,
    make_panels,
    wrapped,
)

ABOVE_ZERO, AROUND_ZERO = "Blues", "PuOr"
"""Colour maps for colour-blind readers; the first can be read in grey print, too."""
ROW = 0.21
"""Height of a row of squares in inches."""
DIGIT = 0.05
"""Width of a digit in inches."""
SQUARE = 0.1
"""Least width of a square in inches."""
BAR = 0.55
"""Width of the colour bar in inches."""
NAMES = 1.5
"""Largest width of the names of rows in inches."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Luminance of red, green and blue."""
DARK = 0.45
"""Luminance below which the digits in a square are white."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatPanel:
    """One heatmap: names of rows from the top, and of columns.

    Values are ``(rows, columns)``, NaN where there is none.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: NDArray[np.float64]


def draw_heatmaps(
    panels: Sequence[HeatPanel],
    width: float,
    unit: str,
    *,
    x: str,
    y: str = "",
    limits: tuple[float, float | None] | None = None,
    form: str = ".0f",
) -> Figure:
    """Draw panels side by side, all with the same colours.

    The width of the figure is in inches; ``unit`` labels the colour bar, whose ends are
    the limits, or else the smallest and the largest value; None is the largest value.
    With a negative value the ends are as far from 0. The numbers are drawn in the
    format ``form`` where they fit.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    size = _Size.of(panels, width)
    titles = [panel.title for panel in panels]
    figure, all_axes = make_panels(
        titles, size.panels_in_a_row, width, size.height, size.width
    )
    colours = _colours(panels, limits)
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw(axes, panel, colours)
        digits = len(format(colours.get_clim()[1] or 0, form))
        if size.width / len(panel.columns) > DIGIT * (digits + 1):
            _write_numbers(axes, panel, colours, form)
    _turn_column_names(figure, all_axes, panels, size.width)
    rows, columns = map(_all_equal, _names(panels))
    for axes, left, bottom in edges(all_axes):  # name rows and columns there only
        axes.tick_params(labelleft=left or not rows, labelbottom=bottom or not columns)
    label_axes(all_axes, x, y)
    bar = figure.colorbar(colours, ax=all_axes, label=unit, fraction=0.05, aspect=14)
    bar.outline.set_linewidth(0)
    return figure


@dataclass(frozen=True, slots=True)
class _Size:
    """How many panels fit side by side.

    Attributes:
        height: Height of a panel in inches.
        width: Width of the squares of a panel in inches.
    """

    panels_in_a_row: int
    height: float
    width: float

    @classmethod
    def of(cls, panels: Sequence[HeatPanel], width: float) -> _Size:
        rows, columns = (max(map(len, names)) for names in _names(panels))
        row_names = [wrapped(row, NAMES) for panel in panels for row in panel.rows]
        letters = max(len(line) for name in row_names for line in name.split("\n"))
        names_width = CHARACTER * letters + 0.3
        shared = _all_equal(_names(panels)[0])
        room = width - BAR - (names_width if shared else 0)
        margin = 0.1 if shared else names_width
        in_a_row = max(1, int(room / (margin + max(SQUARE * columns, 0.75))))
        row_height = max(ROW, LINE * max(name.count("\n") + 1 for name in row_names))
        # More of them, to make the figure less tall, would leave no room for names.
        in_a_row = min(len(panels), in_a_row)
        height = 0.5 + max(row_height * rows, 0.7)
        return cls(in_a_row, height, room / in_a_row - margin)


def _names(
    panels: Sequence[HeatPanel],
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    return [panel.rows for panel in panels], [panel.columns for panel in panels]


def _all_equal(names: Sequence[Sequence[str]]) -> bool:
    return all(list(other) == list(names[0]) for other in names)


def _turn_column_names(
    figure: Figure, all_axes: Sequence[Axes], panels: Sequence[HeatPanel], width: float
) -> None:
    """Turn names of columns that are wider than their squares, and make room."""
    letters = max(len(name) for panel in panels for name in panel.columns)
    if CHARACTER * letters > width / max(len(panel.columns) for panel in panels):
        for axes in all_axes:
            for name in axes.get_xticklabels():
                name.set(rotation=45, ha="right", rotation_mode="anchor")
        height = figure.get_figheight() + 0.6 * CHARACTER * letters
        figure.set_size_inches(figure.get_figwidth(), height)


def _colours(
    panels: Sequence[HeatPanel], limits: tuple[float, float | None] | None
) -> ScalarMappable:
    """Return a colour scale; with negative values, its middle is 0."""
    smallest = min(float(np.nanmin(panel.values)) for panel in panels)
    largest = max(float(np.nanmax(panel.values)) for panel in panels)
    if smallest < 0:
        end = max(-smallest, largest)
        return ScalarMappable(Normalize(-end, end), AROUND_ZERO)
    low, high = limits or (smallest, None)
    return ScalarMappable(Normalize(low, largest if high is None else high), ABOVE_ZERO)


def _draw(axes: Axes, panel: HeatPanel, colours: ScalarMappable) -> None:
    axes.pcolormesh(
        np.ma.masked_invalid(panel.values),
        cmap=colours.cmap,
        norm=Normalize(*colours.get_clim()),
        edgecolors="white",
        linewidth=0.5,
    )
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    columns = [wrapped(name, NAMES) for name in panel.columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    rows = [wrapped(name, NAMES) for name in panel.rows]
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)


def _write_numbers(
    axes: Axes, panel: HeatPanel, colours: ScalarMappable, form: str
) -> None:
    dark = colours.to_rgba(panel.values)[..., :3] @ LUMINANCE < DARK
    for (row, column), value in np.ndenumerate(panel.values):
        if not np.isnan(value):
            axes.text(
                column + 0.5,
                row + 0.5,
                format(value, form),
                color="white" if dark[row, column] else "black",
                fontsize=5.5,
                ha="center",
                va="center_baseline",
            )
