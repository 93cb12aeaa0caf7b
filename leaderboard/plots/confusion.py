"""Confusion matrices, one for each row and condition, as in Fig. 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nserbench.leaderboard.plots.heat import HeatPanel, draw_heatmaps
from nserbench.leaderboard.plots.names import column_order, panel_titles
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.tables.series import Confusion


@styled
def draw_confusions(matrices: Sequence[Confusion], width: float) -> Figure:
    """Draw confusion matrices, in percent of the utterances of each true class.

    There is at least one matrix; the width is in inches.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    matrices = sorted(matrices, key=lambda matrix: column_order(matrix.column))
    rows = [(matrix.row.upstream, matrix.row.downstream) for matrix in matrices]
    columns = [matrix.column for matrix in matrices]
    titles = panel_titles(columns, rows, always="condition")
    panels = [
        HeatPanel(title, matrix.classes, matrix.classes, percent(matrix.matrix))
        for title, matrix in zip(titles, matrices, strict=True)
    ]
    return draw_heatmaps(
        panels,
        width,
        "of true class (%)",
        x="predicted class",
        y="true class",
        limits=(0, 100),
    )


def percent(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each count in percent of its row; NaN for a class without utterances."""
    support = matrix.sum(axis=1, keepdims=True)
    return np.where(support > 0, 100 * matrix / np.maximum(support, 1), np.nan)
