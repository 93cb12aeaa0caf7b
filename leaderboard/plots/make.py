"""Make any figure by its name, from a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from matplotlib.figure import Figure

from nserbench.benchmark.extraction.word_errors import Against
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots import layers, snr
from nserbench.leaderboard.plots.confusion import draw_confusions
from nserbench.leaderboard.plots.pareto import draw_pareto
from nserbench.leaderboard.plots.ranks import RankFigure, draw_ranks
from nserbench.leaderboard.plots.weights import draw_weights
from nserbench.leaderboard.plots.wer import correlation_lines, draw_wer
from nserbench.leaderboard.reading.counts import (
    CountedResult,
    RowColumn,
)
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.reading.latest import averaged, shown_results
from nserbench.leaderboard.reading.protocol_use import listed, protocol_uses
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.render.summary_sheet import rank_note
from nserbench.leaderboard.tables.series import (
    WerPoint,
    confusions,
    costs,
    coverage_lines,
    layer_weights,
    wer_points,
)
from nserbench.leaderboard.tables.summary import (
    SummaryTable,
    ranks_of,
    selection_warnings,
)
from nserbench.leaderboard.tables.summary_notes import foreign_prompt_lines


@dataclass(frozen=True)
class FigureData:
    """What a figure is made from.

    Attributes:
        table: Table of that folder; its rows and columns are those to draw.
        width: Width of the figure in inches.
    """

    root: Path
    table: SummaryTable
    metric: str
    width: float
    heatmap: bool = False
    against: Against = "reference"

    @cached_property
    def results(self) -> list[Result]:
        """The results in the rows and columns of the table that are not left out."""
        wanted = set(product(self.table.rows, self.table.columns))
        wanted &= self.table.entries.keys()
        cells = read_cells([self.root])[0] if wanted else {}
        shown = {key: ones for key, ones in cells.items() if key in wanted}
        return shown_results(read_results(self.root), shown)

    def counts(
        self, wanted: Collection[RowColumn]
    ) -> dict[RowColumn, list[CountedResult]]:
        """Return the results behind some cells of the table, one for each seed.

        Raises:
            BadResult: if a result cannot be read.
        """
        cells, _ = read_cells([self.root])
        return {
            cell: averaged(cells[cell])
            for cell in product(self.table.rows, self.table.columns)
            if cell in wanted and cell in cells
        }

    @property
    def title(self) -> str:
        """The name of the metric as readers know it."""
        return TITLES[self.metric]


class FigurePart(Protocol):
    """A part of a figure, such as a line or a panel."""

    @property
    def cells(self) -> Sequence[RowColumn]:
        """The cells of the table that it shows."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """One kind of figure.

    Attributes:
        find: Returns the parts to draw; empty if there are none.
        takes: The results that it needs, in words.
        example: Options of `nserbench run` that make such results.
    """

    find: Callable[[FigureData], Sequence[FigurePart]]
    draw: Callable[[FigureData, Sequence[Any]], Figure]
    takes: str
    example: str


def _find_wer(data: FigureData) -> list[WerPoint]:
    return wer_points(data.table, data.results, data.metric, data.against)


def _find_ranks(data: FigureData) -> list[RankFigure]:
    """Rank the rows and columns of the figure, which may be a part of the table."""
    ranks = ranks_of(data.counts(data.table.entries.keys()), data.metric)
    return [RankFigure(ranks)] if ranks else []


KINDS: Mapping[str, FigureKind] = MappingProxyType(
    {
        "layers": FigureKind(
            lambda data: layers.drawable(data.table, data.metric),
            lambda data, curves: (
                layers.draw_layer_heatmap if data.heatmap else layers.draw_layers
            )(curves, data.metric, data.width),
            "an upstream with two layers or more under the head single",
            "-u whisper -d single:layer=all -c demo",
        ),
        "snr": FigureKind(
            lambda data: snr.drawable(data.table, data.metric),
            lambda data, curves: snr.draw_snr(
                data.table, curves, data.metric, data.width
            ),
            "two SNRs or more of one noise",
            "-u mel -d mean -c demo,demo-park --snr -5,0,5",
        ),
        "confusion": FigureKind(
            lambda data: confusions(data.results),
            lambda data, matrices: draw_confusions(matrices, data.width),
            "a cell that has a score",
            "-u mel -d mean -c demo",
        ),
        "wer": FigureKind(
            _find_wer,
            lambda data, points: draw_wer(points, data.title, data.width),
            "an upstream that transcribes, on a corpus with texts",
            "-u whisper -d weighted-sum -c emodb,emodb-park --snr -5,0,5",
        ),
        "pareto": FigureKind(
            lambda data: costs(data.table, data.results, data.metric),
            lambda data, points: draw_pareto(points, data.title, data.width),
            "a cell whose times were measured",
            "-u mel -d mean,bigru -c demo",
        ),
        "weights": FigureKind(
            lambda data: layer_weights(data.results),
            lambda data, weights: draw_weights(weights, data.width),
            "a head with a weight for each layer: weighted-sum, scalar-mix, ladapter",
            "-u whisper -d weighted-sum -c demo,demo-park --snr -5,0,5",
        ),
        "ranks": FigureKind(
            _find_ranks,
            lambda data, found: draw_ranks(found[0].ranks, data.title, data.width),
            "two rows or more, all done in two columns or more",
            "-u mel -d mean,bigru -c demo,demo-park --snr -5,0,5",
        ),
    }
)
"""The kinds of figures, by name."""


def make_figure(name: str, data: FigureData) -> Figure:
    """Draw the figure of a name in `KINDS`.

    Raises:
        NserbenchError: if there is nothing to draw, or more than a figure holds.
    """
    kind = KINDS[name]
    parts = kind.find(data)
    if not parts:
        table = data.table
        raise NserbenchError(
            f"there is nothing to draw for {name}: it takes {kind.takes}\n"
            f"  the results chosen have the upstreams: "
            f"{listed(row.upstream for row in table.rows) or 'none'}\n"
            f"  heads: {listed(row.downstream for row in table.rows) or 'none'}\n"
            f"  conditions: {listed(map(str, table.columns)) or 'none'}\n"
            f"  protocols: {listed(of.protocol for of in table.columns) or 'none'}\n"
            f"  make more, for instance with\n    nserbench run {kind.example}"
        )
    return kind.draw(data, parts)


def caption_lines(name: str, data: FigureData) -> list[str]:
    """Return what the caption must say: protocols, warnings, ranks and correlations.

    Only protocols of results that the figure shows are included.

    Raises:
        NserbenchError: if there is nothing to draw, or no correlation.
    """
    cells = {cell for part in KINDS[name].find(data) for cell in part.cells}
    lines = [f"protocol {line}" for line in protocol_uses(data.counts(cells))]
    for protocol in sorted({column.protocol for _, column in cells}):
        if warnings := ", ".join(selection_warnings(protocol)):
            lines.append(f"scores of {protocol} are too optimistic: {warnings}")
    if name == "ranks":
        return [
            *lines,
            *(
                rank_note(one.ranks, data.title, data.table.columns)
                for one in _find_ranks(data)
            ),
        ]
    if name != "wer":
        return lines
    points = _find_wer(data)
    lines += foreign_prompt_lines(data.counts(cells))
    return [*lines, *coverage_lines(points), *correlation_lines(points)]
