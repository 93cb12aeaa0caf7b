"""Draw how many utterances corpora have of each emotion, as in the paper."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.leaderboard.plots.colours import COLOURS
from nserbench.leaderboard.plots.style import add_legend, save, styled

ORDER = ("neutral", "happiness", "anger", "sadness")
"""The classes of the paper; others follow in the order of the corpora."""
WIDTH = 0.8
"""Width of all bars of a corpus together; corpora are 1 apart."""


@styled
def draw_classes(counts: Mapping[str, Mapping[str, int]], file: Path) -> None:
    """Draw how many utterances each corpus has of each emotion, as in Fig. 2.

    Every corpus has a bar for each of its classes. A class has the same colour in all
    corpora, and its bars are in the same order.

    Raises:
        NserbenchError: if the file has another ending.
    """
    names = dict.fromkeys(itertools.chain.from_iterable(counts.values()))
    classes = sorted(names, key=[*ORDER, *names].index)
    figure = Figure(figsize=(2.0 + 2.2 * len(counts), 3.4), layout="constrained")
    axes = figure.add_subplot()
    _draw_bars(axes, counts, classes)
    axes.set_xticks(range(len(counts)), list(counts))
    axes.set_ylabel("utterances")
    axes.grid(visible=False)
    add_legend(figure, *axes.get_legend_handles_labels())
    save(figure, file)


def _draw_bars(
    axes: Axes, counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]
) -> None:
    """Draw the bars class by class, so that each class is in the legend once."""
    width = WIDTH / max(map(len, counts.values()))
    for colour, name in zip(itertools.cycle(COLOURS), classes):
        positions, heights = [], []
        for corpus, by_class in enumerate(counts.values()):
            if name in by_class:
                present = [other for other in classes if other in by_class]
                left = present.index(name) - (len(present) - 1) / 2
                positions.append(corpus + left * width)
                heights.append(by_class[name])
        bars = axes.bar(positions, heights, 0.92 * width, color=colour, label=name)
        axes.bar_label(bars, fontsize="x-small", padding=1)
