"""Pictures of corpora, as in the paper."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.colours import COLOURS

KINDS = (".pdf", ".png", ".svg")
ORDER = ("neutral", "happiness", "anger", "sadness")
"""The classes of the paper; others follow in the order of the corpora."""
WIDTH = 0.8
"""Of a corpus's bars together; corpora stand 1 apart."""
DPI = 200


def refuse_other_kinds(file: Path) -> None:
    """Refuse a picture of a kind that is not written.

    Raises:
        NserbenchError: if the file's ending is none of `KINDS`.
    """
    if file.suffix.lower() not in KINDS:
        raise NserbenchError(
            f"no figure is written as {file.name!r}\n  endings: {', '.join(KINDS)}"
        )


def draw_classes(counts: Mapping[str, Mapping[str, int]], file: Path) -> None:
    """Draw how many utterances each corpus has of each emotion, as Fig. 2.

    Every corpus has a bar for each of its classes; a class has one colour throughout,
    and stands at the same place where several corpora have it.

    Args:
        counts: Utterances of each class, by corpus.
        file: Where to write; its ending, one of `KINDS`, says as what.

    Raises:
        NserbenchError: if the ending is another.
    """
    refuse_other_kinds(file)
    classes = _ordered(counts)
    figure = Figure(figsize=(2.0 + 2.2 * len(counts), 3.4), layout="constrained")
    axes = figure.add_subplot()
    _draw_bars(axes, counts, classes)
    axes.set_xticks(range(len(counts)), list(counts))
    axes.set_ylabel("utterances")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False,
        ncols=4,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )
    figure.savefig(file, dpi=DPI)


def _ordered(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    known = list(dict.fromkeys(name for each in counts.values() for name in each))
    return sorted(known, key=[*ORDER, *known].index)


def _draw_bars(
    axes: Axes, counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]
) -> None:
    """Draw the bars of one class after another, so that each is in the legend once."""
    width = WIDTH / max(map(len, counts.values()))
    present = [[name for name in classes if name in each] for each in counts.values()]
    for colour, name in zip(itertools.cycle(COLOURS), classes):
        places, heights = [], []
        for corpus, (each, own) in enumerate(
            zip(counts.values(), present, strict=True)
        ):
            if name in own:
                left = own.index(name) - (len(own) - 1) / 2
                places.append(corpus + left * width)
                heights.append(each[name])
        bars = axes.bar(places, heights, 0.92 * width, color=colour, label=name)
        axes.bar_label(bars, fontsize="x-small", padding=1)
