"""Which class is taken for which: a matrix for each row and condition, as Fig. 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nserbench.leaderboard.plots.heat import HeatPanel, draw_sheets
from nserbench.leaderboard.plots.names import column_order, panel_titles
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.tables.series import Confusion


@styled
def draw_confusions(found: Sequence[Confusion], width: float) -> Figure:
    """Draw what each true class was taken for, in percent of its utterances.

    Args:
        found: At least one.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more than a figure holds.
    """
    found = sorted(found, key=lambda one: column_order(one.column))
    rows = [(one.row.upstream, one.row.downstream) for one in found]
    titles = panel_titles([one.column for one in found], rows, always="condition")
    sheets = [
        HeatPanel(title, one.classes, one.classes, percent(one.matrix))
        for title, one in zip(titles, found, strict=True)
    ]
    return draw_sheets(
        sheets,
        width,
        "share (%)",
        x="predicted class",
        y="true class",
        limits=(0, 100),
    )


def percent(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give shares of each row, in percent; NaN for a class that has no utterance."""
    support = matrix.sum(axis=1, keepdims=True)
    return np.where(support > 0, 100 * matrix / np.maximum(support, 1), np.nan)
