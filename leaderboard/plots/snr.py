"""A metric over the SNR: a panel for each noise, a line for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.lines import (
    draw_legend,
    draw_lines,
    draw_point,
    line_panels,
)
from nserbench.leaderboard.plots.names import distinct_names, panel_titles
from nserbench.leaderboard.plots.style import line_style, styled
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.tables.series import Curve, clean_cell, snr_curves
from nserbench.leaderboard.tables.summary import Score, SummaryTable


def drawable(table: SummaryTable, metric: str) -> list[Curve]:
    """Return the curves that have two SNRs or more, and clean speech with them."""
    curves = [curve for curve in snr_curves(table, metric) if len(curve.points) > 1]
    return [
        replace(curve, cells=[*curve.cells, clean])
        if (clean := clean_cell(table, curve))
        else curve
        for curve in curves
    ]


@styled
def draw_snr(
    table: SummaryTable, curves: Sequence[Curve], metric: str, width: float
) -> Figure:
    """Draw lines with 95 % bands over the SNR, and clean speech to their right.

    The curves are those of `drawable`, at least one; the width is in inches.

    Raises:
        NserbenchError: if there are more lines or panels than a figure holds.
    """
    rows = list(dict.fromkeys(curve.row for curve in curves))
    columns = list(dict.fromkeys(curve.column for curve in curves))
    snrs = sorted({point.x for curve in curves for point in curve.points})
    figure, all_axes = line_panels(
        panel_titles(columns, always="corpus condition"),
        width,
        "SNR (dB)",
        f"{TITLES[metric]} (%)",
    )
    for axes, column in zip(all_axes, columns, strict=True):
        lines = {
            rows.index(curve.row): curve for curve in curves if curve.column == column
        }
        draw_lines(axes, {number: curve.points for number, curve in lines.items()})
        clean = {
            number: table.entries[key].scores[metric]
            for number, curve in lines.items()
            if (key := clean_cell(table, curve))
        }
        _label_snrs(axes, snrs, clean)
    draw_legend(
        figure, distinct_names([(row.upstream, row.downstream) for row in rows])
    )
    return figure


def _label_snrs(axes: Axes, snrs: Sequence[float], clean: Mapping[int, Score]) -> None:
    """Label the SNRs on the axis, and draw clean speech beyond the highest."""
    labels = {snr: f"{snr:g}" for snr in snrs}
    if clean:
        gap = (snrs[-1] - snrs[0]) / (len(snrs) - 1)
        labels[snrs[-1] + gap] = "clean"
        for at, (number, score) in enumerate(clean.items()):
            # Side by side, so that no bar hides another.
            shift = 0.1 * gap * (at - (len(clean) - 1) / 2)
            style = {**line_style(number), "elinewidth": 0.7, "capsize": None}
            draw_point(axes, snrs[-1] + gap + shift, score, **style)
    axes.set_xticks([*labels], [*labels.values()])
