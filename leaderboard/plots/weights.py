"""Layer weights of the heads that fuse layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.heat import HeatPanel, draw_heatmaps
from nserbench.leaderboard.plots.names import column_order, panel_titles
from nserbench.leaderboard.plots.style import styled
from nserbench.leaderboard.tables.series import LayerWeights


@styled
def draw_weights(weights: Sequence[LayerWeights], width: float) -> Figure:
    """Draw a panel for each upstream, head and group: conditions by layers.

    Each corpus and protocol has panels of its own. Weights from a softmax sum to 1,
    and their colours start at 0, so that equal weights look equal.
    Free weights, those of the L-adapter, may be negative and then have other colours.

    The width is in inches.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    weights = sorted(weights, key=lambda fused: column_order(fused.column))
    columns = [replace(fused.column, condition="") for fused in weights]
    rows = [
        (fused.row.upstream, fused.row.downstream, fused.group) for fused in weights
    ]
    by_panel: dict[str, dict[str, LayerWeights]] = {}
    for title, fused in zip(panel_titles(columns, rows), weights, strict=True):
        by_panel.setdefault(title, {})[fused.column.condition] = fused
    panels = [_heat_panel(title, lines) for title, lines in by_panel.items()]
    return draw_heatmaps(
        panels, width, "layer weight", x="layer", limits=(0, None), form=".2f"
    )


def _heat_panel(title: str, by_condition: dict[str, LayerWeights]) -> HeatPanel:
    fused = by_condition.values()
    layers = sorted({layer for weights in fused for layer in weights.by_layer})
    values = [
        [weights.by_layer.get(layer, np.nan) for layer in layers] for weights in fused
    ]
    names = [*map(str, layers)]
    return HeatPanel(title, list(by_condition), names, np.array(values))
