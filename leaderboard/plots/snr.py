"""A metric over the SNR: a panel for each noise, a line for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.lines import draw_legend, draw_lines, line_panels
from nserbench.leaderboard.plots.names import panel_titles, told_apart
from nserbench.leaderboard.plots.style import look, styled
from nserbench.leaderboard.reading.counts import Column, RowColumn
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.tables.series import Curve, snr_curves
from nserbench.leaderboard.tables.summary import Score, SummaryTable


def drawable(table: SummaryTable, metric: str) -> list[Curve]:
    """Return the curves that have two levels or more, and clean speech with them."""
    curves = [one for one in snr_curves(table, metric) if len(one.points) > 1]
    return [replace(one, cells=[*one.cells, *_clean(table, one)]) for one in curves]


def _clean(table: SummaryTable, curve: Curve) -> list[RowColumn]:
    """Return where the clean speech of a curve stands, if it is done."""
    column = Column(curve.column.corpus, "clean", curve.column.protocol)
    entry = table.entries.get((curve.row, column))
    here = entry is not None and bool(entry.scores) and column in table.columns
    return [(curve.row, column)] if here else []


@styled
def draw_snr(
    table: SummaryTable, curves: Sequence[Curve], metric: str, width: float
) -> Figure:
    """Draw lines with 95 % bands; what clean speech gives stands to their right.

    Args:
        table: Where clean speech is taken from.
        curves: At least one, as `drawable` returns them.
        metric: One of the table's.
        width: Of the figure, in inches.

    Raises:
        NserbenchError: if there are more lines or panels than a figure holds.
    """
    rows = list(dict.fromkeys(one.row for one in curves))
    places = list(dict.fromkeys(one.column for one in curves))
    levels = sorted({point.x for one in curves for point in one.points})
    figure, drawn = line_panels(
        panel_titles(places, always="corpus condition"),
        width,
        "SNR (dB)",
        f"{TITLES[metric]} (%)",
    )
    for axes, place in zip(drawn, places, strict=True):
        own = {rows.index(one.row): one for one in curves if one.column == place}
        draw_lines(axes, {number: one.points for number, one in own.items()})
        clean = {
            number: table.entries[where].scores[metric]
            for number, one in own.items()
            for where in _clean(table, one)
        }
        _label_levels(axes, levels, clean)
    draw_legend(figure, told_apart([(row.upstream, row.downstream) for row in rows]))
    return figure


def _label_levels(
    axes: Axes, levels: Sequence[float], clean: Mapping[int, Score]
) -> None:
    """Put the levels under the axis, and clean speech beyond the highest."""
    labels = {level: f"{level:g}" for level in levels}
    if clean:
        gap = (levels[-1] - levels[0]) / (len(levels) - 1)
        labels[levels[-1] + gap] = "clean"
        for place, (number, score) in enumerate(clean.items()):
            # Side by side, so that no bar hides another.
            aside = 0.1 * gap * (place - (len(clean) - 1) / 2)
            _draw_clean(axes, levels[-1] + gap + aside, score, number)
    axes.set_xticks([*labels], [*labels.values()])


def _draw_clean(axes: Axes, x: float, score: Score, number: int) -> None:
    bars = None
    if score.low is not None and score.high is not None:
        down, up = score.value - score.low, score.high - score.value
        bars = [[100 * down], [100 * up]]
    axes.errorbar([x], [100 * score.value], bars, **look(number), elinewidth=0.7)
