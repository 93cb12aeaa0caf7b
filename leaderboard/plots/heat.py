"""Panels of coloured squares with their numbers: heatmaps."""

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
    folded,
    label_axes,
    panels,
)

ABOVE_ZERO, AROUND_ZERO = "Blues", "PuOr"
"""Colours; both are told apart by colour-blind readers, the first in grey print too."""
ROW = 0.21
"""Inches: the height of a row of squares."""
DIGIT = 0.05
"""Inches: the width of a digit in a square."""
SQUARE = 0.1
"""Inches: its least width."""
BAR = 0.55
"""Inches: the width of the scale of colours."""
NAMES = 1.5
"""Inches: the width that the names of rows may take."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Of red, green and blue."""
DARK = 0.45
"""Luminance below which a square has white digits."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatPanel:
    """One panel.

    Attributes:
        title: Above it.
        rows: Names of the rows, from above.
        columns: Names of the columns.
        values: ``(rows, columns)``; NaN where there is none.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: NDArray[np.float64]


def draw_sheets(
    sheets: Sequence[HeatPanel],
    width: float,
    unit: str,
    *,
    x: str,
    y: str = "",
    limits: tuple[float, float] | None = None,
    form: str = ".0f",
) -> Figure:
    """Draw sheets side by side, all in the same scale of colours.

    Args:
        sheets: At least one.
        width: Of the figure, in inches.
        unit: What the values are.
        x: What the columns are.
        y: What the rows are.
        limits: Of the scale; those of the values unless given.
        form: How numbers are written; they are left out where they have no room.

    Raises:
        NserbenchError: if there are too many.
    """
    size = _Size.of(sheets, width)
    titles = [one.title for one in sheets]
    figure, drawn = panels(titles, size.beside, width, size.high, size.wide)
    colours = _colours(sheets, limits)
    for axes, sheet in zip(drawn, sheets, strict=True):
        _draw(axes, sheet, colours)
        digits = len(format(colours.get_clim()[1] or 0, form))
        if size.wide / len(sheet.columns) > DIGIT * (digits + 1):
            _write(axes, sheet, colours, form)
    _turn_names(figure, drawn, sheets, size.wide)
    _share_names(drawn, sheets)
    label_axes(drawn, x, y)
    bar = figure.colorbar(colours, ax=drawn, label=unit, fraction=0.05, aspect=14)
    bar.outline.set_linewidth(0)
    return figure


@dataclass(frozen=True, slots=True)
class _Size:
    """What fits: panels side by side; inches of their height and of their squares."""

    beside: int
    high: float
    wide: float

    @classmethod
    def of(cls, sheets: Sequence[HeatPanel], width: float) -> _Size:
        rows, columns = (max(map(len, side)) for side in _sides(sheets))
        names = [folded(row, NAMES) for one in sheets for row in one.rows]
        letters = max(len(line) for name in names for line in name.split("\n"))
        named = CHARACTER * letters + 0.3
        once = _same(_sides(sheets)[0])
        room = width - BAR - (named if once else 0)
        each = 0.1 if once else named
        beside = max(1, int(room / (each + max(SQUARE * columns, 0.75))))
        row = max(ROW, LINE * max(name.count("\n") + 1 for name in names))
        wide = room / min(beside, len(sheets)) - each
        return cls(beside, 0.5 + max(row * rows, 0.7), wide)


def _sides(
    sheets: Sequence[HeatPanel],
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    return [one.rows for one in sheets], [one.columns for one in sheets]


def _same(sides: Sequence[Sequence[str]]) -> bool:
    return all(list(side) == list(sides[0]) for side in sides)


def _turn_names(
    figure: Figure, drawn: Sequence[Axes], sheets: Sequence[HeatPanel], wide: float
) -> None:
    """Turn the names of columns that are wider than their squares, and make room."""
    letters = max(len(name) for one in sheets for name in one.columns)
    if CHARACTER * letters > wide / max(len(one.columns) for one in sheets):
        for axes in drawn:
            for name in axes.get_xticklabels():
                name.set(rotation=45, ha="right", rotation_mode="anchor")
        deep = 0.6 * CHARACTER * letters
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + deep)


def _share_names(drawn: Sequence[Axes], sheets: Sequence[HeatPanel]) -> None:
    """Name rows and columns at the edges alone, where all panels have the same."""
    rows, columns = map(_same, _sides(sheets))
    for axes, left, bottom in edges(drawn):
        axes.tick_params(labelleft=left or not rows, labelbottom=bottom or not columns)


def _colours(
    sheets: Sequence[HeatPanel], limits: tuple[float, float] | None
) -> ScalarMappable:
    """Make a scale; one that has negative values has its middle at 0."""
    if limits is None:
        low = min(float(np.nanmin(one.values)) for one in sheets)
        high = max(float(np.nanmax(one.values)) for one in sheets)
        if low < 0:
            high = max(-low, high)
            return ScalarMappable(Normalize(-high, high), AROUND_ZERO)
        limits = low, high
    return ScalarMappable(Normalize(*limits), ABOVE_ZERO)


def _draw(axes: Axes, sheet: HeatPanel, colours: ScalarMappable) -> None:
    axes.pcolormesh(
        np.ma.masked_invalid(sheet.values),
        cmap=colours.cmap,
        norm=Normalize(*colours.get_clim()),
        edgecolors="white",
        linewidth=0.5,
    )
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    columns = [folded(name, NAMES) for name in sheet.columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    rows = [folded(name, NAMES) for name in sheet.rows]
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)


def _write(axes: Axes, sheet: HeatPanel, colours: ScalarMappable, form: str) -> None:
    dark = colours.to_rgba(sheet.values)[..., :3] @ LUMINANCE < DARK
    for (row, column), value in np.ndenumerate(sheet.values):
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
