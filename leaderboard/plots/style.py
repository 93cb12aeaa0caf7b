"""Size, fonts, colours, legends and files of all figures."""

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
from nserbench.leaderboard.plots.colours import COLOURS

DPI = 300
CHARACTER = 0.053
"""Mean width of a letter of legends and titles in inches."""
LINE = 0.135
"""Height of a line of a legend in inches."""
HANDLE = 0.5
"""Width of the line or marker before a name in a legend, in inches."""
NAME_LINES = 4
"""Most lines that a name may take."""
LINES, PANELS = 8, 12
"""Most lines and panels of a figure."""
TALLEST = 9.5
"""Largest height of all panels together in inches; a page has about 10."""
KINDS = (".pdf", ".png", ".svg")
"""The endings of files that figures are written to."""
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
        "pdf.fonttype": 42,  # embed TrueType fonts, which journals require
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
"""A decorator: the function draws in this style, whatever the user has configured."""

# Without yellow, which cannot be seen on white; neighbours differ clearly.
_COLOURS = tuple(COLOURS[index] for index in (0, 2, 4, 5, 7, 3, 1))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES = ("-", "--", "-.", ":")


def line_style(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of a line, by its index in the legend.

    All three differ between neighbours, so that lines can be told apart in print
    without colours.
    """
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _DASHES[number % len(_DASHES)],
    }


def make_panels(
    titles: Sequence[str],
    most_in_a_row: int,
    width: float,
    height: float,
    title_width: float,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each title, in as many rows as needed.

    Widths, and the height of a row of panels, are in inches.

    Raises:
        NserbenchError: if there are more panels than a figure holds.
    """
    refuse_more(PANELS, "panels", len(titles))
    columns = min(len(titles), max(1, most_in_a_row))
    rows = math.ceil(len(titles) / columns)
    names = [wrapped(title, title_width) for title in titles]
    extra = LINE * max(name.count("\n") for name in names)
    figure = Figure(figsize=(width, rows * (height + extra)), layout="constrained")
    all_axes = []
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_title(name)
        all_axes.append(axes)
    return figure, all_axes


def panels_in_a_row(count: int, fitting: int, height: float) -> int:
    """Return how many panels to draw side by side.

    Those that fit into the width, or more where the figure would be taller than a page.

    Args:
        count: Number of panels.
        fitting: How many fit side by side.
        height: Height of a row of panels in inches.

    Examples:
        >>> panels_in_a_row(3, 1, 1.75), panels_in_a_row(11, 1, 1.75)
        (1, 3)
    """
    rows = max(1, int(TALLEST / height))
    return min(count, max(1, fitting, math.ceil(count / rows)))


def refuse_more(most: int, what: str, count: int) -> None:
    """Refuse a figure with more parts than a reader can tell apart.

    Raises:
        NserbenchError: if there are more parts than a figure holds.
    """
    if count > most:
        raise NserbenchError(
            f"a figure holds {most} {what} at most, and this one would have {count}\n"
            "  choose fewer with --upstream, --downstream, --corpus, --noise and "
            "--protocol"
        )


def label_axes(all_axes: Sequence[Axes], x: str, y: str) -> None:
    """Label the axes of the panels at the lower and the left edge."""
    for axes, left, bottom in edges(all_axes):
        if left:
            axes.set_ylabel(y)
        if bottom:
            axes.set_xlabel(x)


def edges(all_axes: Sequence[Axes]) -> list[tuple[Axes, bool, bool]]:
    """Return panels, whether first in their row, and whether last in their column."""
    spot = all_axes[0].get_subplotspec()
    columns = spot.get_gridspec().ncols if spot else 1
    return [
        (axes, index % columns == 0, index + columns >= len(all_axes))
        for index, axes in enumerate(all_axes)
    ]


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Add the legend below the panels, and make the figure higher by its height."""
    width, height = figure.get_size_inches()
    labels = [wrapped(name, width - HANDLE) for name in names]
    lines = [line for label in labels for line in label.split("\n")]
    columns = int(width / (HANDLE + CHARACTER * max(map(len, lines))))
    columns = max(1, min(len(labels), columns))
    legend_height = LINE * (math.ceil(len(lines) / columns) + 1)
    figure.set_size_inches(width, height + legend_height)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def wrapped(text: str, width: float) -> str:
    """Wrap a name at a width in inches, in `NAME_LINES` lines at most.

    Names in results of others may be any text. They are shown as they were typed:
    matplotlib reads no part as a formula, and hides none from the legend.
    """
    visible = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    letters = max(8, int(width / CHARACTER))
    lines = [""]
    for part in chain.from_iterable(_parts(word, letters) for word in visible.split()):
        if len(lines[-1]) + len(part.rstrip()) > letters and lines[-1]:
            lines.append("")
        lines[-1] += part
    if len(lines) > NAME_LINES:
        lines[NAME_LINES - 1 :] = [f"{lines[NAME_LINES - 1][: letters - 3]}..."]
    plain = "\n".join(line.strip() for line in lines)
    return plain.replace("$", r"\$").removeprefix("_")


def _parts(word: str, letters: int) -> list[str]:
    """Return a word whole if it fits in a line, else cut behind its punctuation."""
    if len(word) <= letters:
        return [f"{word} "]
    pattern = rf".{{1,{letters - 1}}}?[:,=+] ?|.{{1,{letters}}}"
    return re.findall(pattern, f"{word} ")


def refuse_other_kinds(file: Path) -> None:
    """Refuse a file whose ending is not one that figures are written to.

    Raises:
        NserbenchError: if the ending of the file is not in `KINDS`.
    """
    if file.suffix.lower() not in KINDS:
        raise NserbenchError(
            f"a figure cannot be written to {file.name!r}\n"
            f"  use a name with one of the endings: {', '.join(KINDS)}"
        )


@styled
def save(figure: Figure, file: Path) -> None:
    """Write a figure; the same figure gives the same bytes.

    The ending of the file sets the format: SVG whose text stays text, PDF with embedded
    fonts, or PNG with 300 dots per inch.

    Raises:
        NserbenchError: if the file has another ending.
    """
    refuse_other_kinds(file)
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    date = dates.get(file.suffix.lower())
    figure.savefig(file, dpi=DPI, metadata={date: None} if date else {})
