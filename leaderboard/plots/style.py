"""What all figures share: size, type, colours, legends, files."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.class_counts import refuse_other_kinds
from nserbench.leaderboard.plots.colours import COLOURS

DPI = 300
CHARACTER = 0.053
"""Inches: the mean width of a letter in legends and titles."""
LINE = 0.135
"""Inches: the height of a line of a legend."""
HANDLE = 0.5
"""Inches: what stands before a name in a legend."""
MOST = 4
"""Lines of a name."""
LINES, PANELS = 8, 12
"""How many a figure holds."""
styled = rc_context(
    {
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.labelsize": 7,
        "axes.linewidth": 0.6,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 7,
        "errorbar.capsize": 1.5,
        "font.size": 7,
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.5,
        "legend.fontsize": 6.5,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.6,
        "pdf.fonttype": 42,  # TrueType, which journals ask for; not Type 3
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "nserbench",  # the same figure is the same file
        "xtick.labelsize": 6.5,
        "xtick.major.size": 2.5,
        "xtick.major.width": 0.6,
        "ytick.labelsize": 6.5,
        "ytick.major.size": 2.5,
        "ytick.major.width": 0.6,
    }
)
"""As a decorator: a function draws in this style, whatever the user's own is."""

# Yellow does not show as a line on white; the order keeps neighbours far apart.
_COLOURS = tuple(COLOURS[place] for place in (0, 2, 4, 5, 7, 3, 1))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES = ("-", "--", "-.", ":")


def look(place: int) -> dict[str, Any]:
    """Give colour, marker and line style of a line, by its place in the legend.

    All three change from each to the next, so that neither colour nor shape is needed
    to tell lines apart.
    """
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _DASHES[place % len(_DASHES)],
    }


def panels(
    titles: Sequence[str], most: int, width: float, height: float, room: float
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each title, in as many rows as that takes.

    Args:
        titles: Of the panels.
        most: Panels in a row; at least one stands there.
        width: Of the figure, in inches.
        height: Of a row of panels, in inches.
        room: Width of a title, in inches.

    Raises:
        NserbenchError: if there are too many.
    """
    refuse_more(PANELS, "panels", len(titles))
    columns = min(len(titles), max(1, most))
    rows = math.ceil(len(titles) / columns)
    names = [folded(title, room) for title in titles]
    above = LINE * max(name.count("\n") for name in names)
    figure = Figure(figsize=(width, rows * (height + above)), layout="constrained")
    drawn = []
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.set_title(name)
        drawn.append(axes)
    return figure, drawn


def refuse_more(most: int, what: str, count: int) -> None:
    """Refuse a figure that nobody could read.

    Raises:
        NserbenchError: if there are more than it holds.
    """
    if count > most:
        raise NserbenchError(
            f"a figure holds {most} {what} at most, and this one would have {count}\n"
            "  choose with --upstream, --downstream, --corpus, --noise and --protocol"
        )


def label_axes(drawn: Sequence[Axes], x: str, y: str) -> None:
    """Name the axes, with their units, of the panels at the lower and the left edge."""
    for axes, left, bottom in edges(drawn):
        if left:
            axes.set_ylabel(y)
        if bottom:
            axes.set_xlabel(x)


def edges(drawn: Sequence[Axes]) -> list[tuple[Axes, bool, bool]]:
    """Say of each panel whether it is the first of its row, and the last above none."""
    spot = drawn[0].get_subplotspec()
    columns = spot.get_gridspec().ncols if spot else 1
    return [
        (axes, place % columns == 0, place + columns >= len(drawn))
        for place, axes in enumerate(drawn)
    ]


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Put the legend below the panels, and make the figure as much higher."""
    width, height = figure.get_size_inches()
    labels = [folded(name, width - HANDLE) for name in names]
    lines = [line for label in labels for line in label.split("\n")]
    columns = int(width / (HANDLE + CHARACTER * max(map(len, lines))))
    columns = max(1, min(len(labels), columns))
    deep = LINE * (math.ceil(len(lines) / columns) + 1)
    figure.set_size_inches(width, height + deep)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def folded(text: str, inches: float) -> str:
    """Break a name into lines of some width, `MOST` at most.

    Names are shown as they were typed, and those in results of others may be anything:
    nothing in them is read as a formula, or hides them from a legend.
    """
    visible = "".join(one if one.isprintable() else "\ufffd" for one in text)
    room = max(8, int(inches / CHARACTER))
    lines = [""]
    for piece in chain.from_iterable(_pieces(word, room) for word in visible.split()):
        if len(lines[-1]) + len(piece.rstrip()) > room and lines[-1]:
            lines.append("")
        lines[-1] += piece
    if len(lines) > MOST:
        lines[MOST - 1 :] = [f"{lines[MOST - 1][: room - 3]}..."]
    plain = "\n".join(line.strip() for line in lines)
    return plain.replace("$", r"\$").removeprefix("_")


def _pieces(word: str, room: int) -> list[str]:
    """Keep a word whole if it fits; else cut it, behind its marks if that helps."""
    if len(word) <= room:
        return [f"{word} "]
    return re.findall(rf".{{1,{room - 1}}}?[:,=+] ?|.{{1,{room}}}", f"{word} ")


@styled
def save(figure: Figure, file: Path) -> None:
    """Write a figure; the same one is the same file, to the byte.

    Args:
        figure: What to write.
        file: Its ending says as what: SVG whose text is text, PDF whose fonts are
            embedded, or PNG at 300 dots per inch.

    Raises:
        NserbenchError: if the ending is another.
    """
    refuse_other_kinds(file)
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    date = dates.get(file.suffix.lower())
    figure.savefig(file, dpi=DPI, metadata={date: None} if date else {})
