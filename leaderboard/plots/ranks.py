"""Mean ranks of rows, with bars that join rows without a significant difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.plots.colours import COLOURS
from nserbench.leaderboard.plots.lines import GREY
from nserbench.leaderboard.plots.names import distinct_names
from nserbench.leaderboard.plots.style import (
    make_panels,
    refuse_more,
    styled,
    wrapped,
)
from nserbench.leaderboard.reading.counts import RowColumn

ROWS = 40
"""Most rows of the figure."""
ROW, FRAME = 0.2, 0.75
"""Height of a row, and of axis and title together, in inches."""
NAMES = 0.42
"""Largest share of the width for the names of the rows."""
APART = 0.025
"""Distance of two neighbouring bars of groups, as a share of the width of the axes."""


@dataclass(frozen=True, slots=True)
class RankFigure:
    """The ranks that a figure shows."""

    ranks: Ranks

    @property
    def cells(self) -> Sequence[RowColumn]:
        """The cells that are ranked."""
        return [
            (row, column) for row in self.ranks.mean for column in self.ranks.columns
        ]


@styled
def draw_ranks(ranks: Ranks, title: str, width: float) -> Figure:
    """Draw the mean rank of each row with its 95 % interval, best first.

    Bars at the right join the rows of each group, which do not differ significantly;
    the bar at the top is as long as the critical difference.

    ``title`` names the metric; the width is in inches.

    Raises:
        NserbenchError: if there are more rows than a figure holds.
    """
    rows = list(ranks.mean)
    refuse_more(ROWS, "rows", len(rows))
    names = [
        wrapped(name, NAMES * width)
        for name in distinct_names([(row.upstream, row.downstream) for row in rows])
    ]
    lines = sum(name.count("\n") + 1 for name in names)
    panel = [f"critical difference: {ranks.critical_difference:.1f}"]
    figure, (axes,) = make_panels(panel, 1, width, FRAME + ROW * lines, width)
    for at, rank in enumerate(ranks.mean.values()):
        bars = [[abs(bound - rank.value)] for bound in rank.bounds or ()]
        axes.errorbar([rank.value], [at], xerr=bars or None, fmt="o", color=COLOURS[0])
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -1)
    axes.set_xlim(0.8, len(rows) + 0.2)
    axes.set_xlabel(f"mean rank by {title} (1 is best)")
    end = min(1 + ranks.critical_difference, len(rows))
    axes.plot([1, end], [-0.7, -0.7], "|-", color=GREY)
    _join(axes, [[rows.index(row) for row in group] for group in ranks.groups])
    return figure


def _join(axes: Axes, groups: Sequence[Sequence[int]]) -> None:
    """Join the first and the last row of each group, to the right of the axes."""
    for number, group in enumerate(groups):
        axes.plot(
            [1 + APART * (number + 1)] * 2,
            [group[0] - 0.25, group[-1] + 0.25],
            color="black",
            linewidth=2,
            solid_capstyle="butt",
            clip_on=False,
            transform=axes.get_yaxis_transform(),
        )
