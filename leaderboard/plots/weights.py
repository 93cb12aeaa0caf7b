"""How much each layer counts in the heads that fuse layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.heat import HeatPanel, draw_sheets
from nserbench.leaderboard.plots.names import column_order, panel_titles
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.tables.series import LayerWeights


@styled
def draw_weights(found: Sequence[LayerWeights], width: float) -> Figure:
    """Draw a panel for each upstream, head and group: layers by conditions.

    Each corpus and protocol has panels of its own.

    Weights through a softmax sum to 1; free weights, those of the L-adapter, may be
    negative, and the colours then say so.

    Args:
        found: At least one.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    found = sorted(found, key=lambda one: column_order(one.column))
    rows = [(one.row.upstream, one.row.downstream, one.group) for one in found]
    titles = panel_titles([replace(one.column, condition="") for one in found], rows)
    panels: dict[str, dict[str, LayerWeights]] = {}
    for title, one in zip(titles, found, strict=True):
        panels.setdefault(title, {})[one.column.condition] = one
    sheets = [_sheet(title, rows) for title, rows in panels.items()]
    return draw_sheets(sheets, width, "weight", x="layer", form=".2f")


def _sheet(title: str, rows: dict[str, LayerWeights]) -> HeatPanel:
    layers = sorted({layer for one in rows.values() for layer in one.by_layer})
    values = [
        [one.by_layer.get(layer, np.nan) for layer in layers] for one in rows.values()
    ]
    return HeatPanel(title, list(rows), [*map(str, layers)], np.array(values))
