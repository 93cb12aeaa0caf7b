"""Any figure, by its name, from a folder of results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from matplotlib.figure import Figure

from nserbench.benchmark.extraction.word_errors import Against
from nserbench.benchmark.results.result import Result, read_results
from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots import layers, snr
from nserbench.leaderboard.plots.confusion import draw_confusions
from nserbench.leaderboard.plots.pareto import draw_pareto
from nserbench.leaderboard.plots.weights import draw_weights
from nserbench.leaderboard.plots.wer import draw_wer, explained
from nserbench.leaderboard.reading.counts import (
    CountedResult,
    RowColumn,
    comparable,
    newest,
    row_and_column,
)
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.render.layout import TITLES
from nserbench.leaderboard.tables.series import (
    Confusion,
    CostPoint,
    Curve,
    LayerWeights,
    WerPoint,
    confusions,
    costs,
    layer_weights,
    wer_points,
)
from nserbench.leaderboard.tables.summary import SummaryTable, selection_warnings
from nserbench.leaderboard.tables.summary_notes import protocol_lines


@dataclass(frozen=True)
class FigureData:
    """What a figure is made from.

    Attributes:
        root: The folder of results.
        table: Of that folder; its rows and columns are those to draw.
        metric: One of the table's.
        width: Of the figure, in inches.
        heatmap: Whether layers are drawn as colours.
        against: What transcripts are compared with.
    """

    root: Path
    table: SummaryTable
    metric: str
    width: float
    heatmap: bool = False
    against: Against = "reference"

    @cached_property
    def results(self) -> list[Result]:
        """The results in the places of the table."""
        wanted = set(product(self.table.rows, self.table.columns))
        wanted &= self.table.entries.keys()
        return [one for one in read_results(self.root) if row_and_column(one) in wanted]

    def places(
        self, wanted: Collection[RowColumn]
    ) -> dict[RowColumn, list[CountedResult]]:
        """Return the results behind some places of the table, one for each seed.

        Raises:
            BadResult: if a result cannot be read.
        """
        tallies, _ = newest(read_counted_results(self.root))
        found: dict[RowColumn, list[CountedResult]] = defaultdict(list)
        for tally in tallies:
            if (tally.row, tally.column) in wanted:
                found[tally.row, tally.column].append(tally)
        return {
            where: [one for one in found[where] if one.seed in comparable(found[where])]
            for where in product(self.table.rows, self.table.columns)
            if where in found
        }

    @property
    def title(self) -> str:
        """What the metric is called."""
        return TITLES[self.metric]


class FigurePart(Protocol):
    """A part of a figure."""

    @property
    def cells(self) -> Sequence[RowColumn]:
        """Where it stands in the table."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """One kind of figure.

    Attributes:
        find: Returns what is to be drawn; empty where there is nothing. Each part has
            ``cells``, its places in the table.
        draw: Draws what was found.
        takes: What it takes, in words.
        example: What `nserbench run` is to be told for that.
    """

    find: Callable[[FigureData], Sequence[FigurePart]]
    draw: Callable[[FigureData, Sequence[Any]], Figure]
    takes: str
    example: str


def _find_layers(source: FigureData) -> list[Curve]:
    return layers.drawable(source.table, source.metric)


def _draw_layers(source: FigureData, found: Sequence[Curve]) -> Figure:
    draw = layers.draw_layer_heatmap if source.heatmap else layers.draw_layers
    return draw(found, source.metric, source.width)


def _find_snr(source: FigureData) -> list[Curve]:
    return snr.drawable(source.table, source.metric)


def _draw_snr(source: FigureData, found: Sequence[Curve]) -> Figure:
    return snr.draw_snr(source.table, found, source.metric, source.width)


def _find_confusions(source: FigureData) -> list[Confusion]:
    return confusions(source.results)


def _draw_confusions(source: FigureData, found: Sequence[Confusion]) -> Figure:
    return draw_confusions(found, source.width)


def _find_words(source: FigureData) -> list[WerPoint]:
    return wer_points(source.table, source.results, source.metric, source.against)


def _draw_words(source: FigureData, found: Sequence[WerPoint]) -> Figure:
    return draw_wer(found, source.title, source.width)


def _find_costs(source: FigureData) -> list[CostPoint]:
    return costs(source.table, source.results, source.metric)


def _draw_costs(source: FigureData, found: Sequence[CostPoint]) -> Figure:
    return draw_pareto(found, source.title, source.width)


def _find_weights(source: FigureData) -> list[LayerWeights]:
    return layer_weights(source.results)


def _draw_weights(source: FigureData, found: Sequence[LayerWeights]) -> Figure:
    return draw_weights(found, source.width)


KINDS: Mapping[str, FigureKind] = MappingProxyType(
    {
        "layers": FigureKind(
            _find_layers,
            _draw_layers,
            "an upstream with two layers or more under the head single",
            "-u whisper -d single:layer=all -c demo",
        ),
        "snr": FigureKind(
            _find_snr,
            _draw_snr,
            "two levels or more of one noise",
            "-u mel -d mean -c demo,demo-park --snr -5,0,5",
        ),
        "confusion": FigureKind(
            _find_confusions,
            _draw_confusions,
            "a cell that is done",
            "-u mel -d mean -c demo",
        ),
        "wer": FigureKind(
            _find_words,
            _draw_words,
            "an upstream that transcribes, on a corpus with texts",
            "-u whisper -d weighted-sum -c emodb,emodb-park --snr -5,0,5",
        ),
        "pareto": FigureKind(
            _find_costs,
            _draw_costs,
            "a cell that says what it cost",
            "-u mel -d mean,bigru -c demo",
        ),
        "weights": FigureKind(
            _find_weights,
            _draw_weights,
            "a head with a weight for each layer: weighted-sum, scalar-mix, ladapter",
            "-u whisper -d weighted-sum -c demo,demo-park --snr -5,0,5",
        ),
    }
)
"""By name."""


def make_figure(name: str, source: FigureData) -> Figure:
    """Draw one of `KINDS`.

    Raises:
        NserbenchError: if there is nothing to draw, or more than a figure holds.
    """
    kind = KINDS[name]
    found = kind.find(source)
    if not found:
        table = source.table
        raise NserbenchError(
            f"there is nothing to draw for {name}: it takes {kind.takes}\n"
            f"  there are upstreams: {_listed(row.upstream for row in table.rows)}\n"
            f"  heads: {_listed(row.downstream for row in table.rows)}\n"
            f"  conditions: {_listed(map(str, table.columns))}\n"
            f"  protocols: {_listed(column.protocol for column in table.columns)}\n"
            f"  make more, for instance with\n    nserbench run {kind.example}"
        )
    return kind.draw(source, found)


def said_of(name: str, source: FigureData) -> list[str]:
    """Say what a reader of the figure must know: protocols, and tests.

    Only what is drawn is spoken of.

    Raises:
        NserbenchError: if there is nothing to draw, or no correlation.
    """
    found = KINDS[name].find(source)
    drawn = {cell for one in found for cell in one.cells}
    lines = [f"protocol {one}" for one in protocol_lines(source.places(drawn))]
    protocols = sorted({column.protocol for _, column in drawn})
    marks = [(one, ", ".join(selection_warnings(one))) for one in protocols]
    lines += [f"{one} flatters: {mark}" for one, mark in marks if mark]
    return [*lines, *explained(_find_words(source))] if name == "wer" else lines


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
