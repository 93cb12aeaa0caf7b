"""Any figure, by its name, from a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from matplotlib.figure import Figure

from nserbench.benchmark.recognition import Against
from nserbench.benchmark.results import Result, read_results
from nserbench.errors import NserbenchError
from nserbench.leaderboard.cells import place
from nserbench.leaderboard.curves import confusions, costs, layer_weights, understood
from nserbench.leaderboard.plots import layers, snr
from nserbench.leaderboard.plots.confusion import draw_confusions
from nserbench.leaderboard.plots.pareto import draw_pareto
from nserbench.leaderboard.plots.weights import draw_weights
from nserbench.leaderboard.plots.wer import draw_wer, explained
from nserbench.leaderboard.sheet import TITLES
from nserbench.leaderboard.table import SummaryTable


@dataclass(frozen=True)
class Source:
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
        """The results in the table's rows and columns."""
        rows, columns = set(self.table.rows), set(self.table.columns)
        read = [(one, *place(one)) for one in read_results(self.root)]
        return [one for one, row, column in read if row in rows and column in columns]

    @property
    def title(self) -> str:
        """What the metric is called."""
        return TITLES[self.metric]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of figure.

    Attributes:
        draw: Draws it; gives None where there is nothing to draw.
        takes: What it takes, in words.
        example: What `nserbench run` is to be told for that.
    """

    draw: Callable[[Source], Figure | None]
    takes: str
    example: str


def _layers(source: Source) -> Figure | None:
    if not layers.drawable(source.table, source.metric):
        return None
    draw = layers.draw_layer_heatmap if source.heatmap else layers.draw_layers
    return draw(source.table, source.metric, source.width)


def _snr(source: Source) -> Figure | None:
    if not snr.drawable(source.table, source.metric):
        return None
    return snr.draw_snr(source.table, source.metric, source.width)


def _confusion(source: Source) -> Figure | None:
    found = confusions(source.results)
    return draw_confusions(found, source.width) if found else None


def _wer(source: Source) -> Figure | None:
    found = understood(source.table, source.results, source.metric, source.against)
    return draw_wer(found, source.title, source.width) if found else None


def _pareto(source: Source) -> Figure | None:
    found = costs(source.table, source.results, source.metric)
    return draw_pareto(found, source.title, source.width) if found else None


def _weights(source: Source) -> Figure | None:
    found = layer_weights(source.results)
    return draw_weights(found, source.width) if found else None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "layers": Kind(
            _layers,
            "an upstream with two layers or more under the head single",
            "-u whisper -d single:layer=all -c demo",
        ),
        "snr": Kind(
            _snr,
            "two levels or more of one noise",
            "-u mel -d mean -c demo,demo-park --snr -5,0,5",
        ),
        "confusion": Kind(_confusion, "a cell that is done", "-u mel -d mean -c demo"),
        "wer": Kind(
            _wer,
            "an upstream that transcribes, on a corpus with texts",
            "-u whisper -d weighted-sum -c emodb,emodb-park --snr -5,0,5",
        ),
        "pareto": Kind(
            _pareto, "a cell that says what it cost", "-u mel -d mean,bigru -c demo"
        ),
        "weights": Kind(
            _weights,
            "a head with a weight for each layer: weighted-sum, scalar-mix, ladapter",
            "-u whisper -d weighted-sum -c demo,demo-park --snr -5,0,5",
        ),
    }
)
"""By name."""


def make_figure(name: str, source: Source) -> Figure:
    """Draw one of `KINDS`.

    Raises:
        NserbenchError: if there is nothing to draw, or more than a figure holds.
    """
    kind = KINDS[name]
    figure = kind.draw(source)
    if figure is None:
        table = source.table
        raise NserbenchError(
            f"there is nothing to draw for {name}: it takes {kind.takes}\n"
            f"  there are upstreams: {_listed(row.upstream for row in table.rows)}\n"
            f"  heads: {_listed(row.head for row in table.rows)}\n"
            f"  conditions: {_listed(map(str, table.columns))}\n"
            f"  make more, for instance with\n    nserbench run {kind.example}"
        )
    return figure


def said_of(name: str, source: Source) -> list[str]:
    """Say what a reader of the figure must know: protocols, and tests."""
    used = tuple({f"{column.protocol} " for column in source.table.columns})
    lines = [
        f"protocol {one}" for one in source.table.protocols if one.startswith(used)
    ]
    if name == "wer":
        found = understood(source.table, source.results, source.metric, source.against)
        return [*lines, *explained(found)]
    return lines


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
