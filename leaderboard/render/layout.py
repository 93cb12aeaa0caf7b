"""What a table shows, before it takes the form of a terminal, Markdown or LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nserbench.leaderboard.analysis.statistics import FEW_UNITS
from nserbench.leaderboard.reading.counts import Row

TITLES = {
    "uar": "UAR",
    "f1_macro": "F1",
    "f1_weighted": "weighted F1",
    "accuracy": "accuracy",
}
NO_INTERVAL = "-"
"""What stands in the brackets where there is one unit of independence."""
NO_DIFFERENCE = "-"
"""What stands where a row cannot be compared with the reference."""
DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
"""Stands before the title of a difference."""
TIED = "="
TIED_NOTE = (
    f"{TIED}: tied, the best is not significantly better (paired bootstrap, Holm over "
    "the rows)"
)
FEW = "\N{DAGGER}"
FEW_NOTE = (
    f"{FEW}: fewer than {FEW_UNITS} speakers (or other units), so intervals and tests "
    "are rough"
)


SUSPECT = "!"
SUSPECT_NOTE = f"{SUSPECT}: something makes the head suspect, see below"
POOLED = "\N{DOUBLE DAGGER}"
POOLED_NOTE = (
    f"{POOLED}: over all folds together (pooled), since a fold lacks a class; "
    "elsewhere the mean of folds"
)
CHANCE = "chance"
"""The name of the last line, what guessing every class equally often gives."""
CHANCE_NOTE = f"{CHANCE}: guessing, every class equally often"


@dataclass(frozen=True, slots=True)
class TableCell:
    """One number as it is shown.

    Attributes:
        value: The number, or in words why there is none.
        interval: Its two bounds; empty where none is shown.
        word: What belongs to it, such as a p-value or the name of a class.
        column_rank: 1 for the best of its column as shown, 2 for the second, else 0.
        tied: Whether it is marked as tied with the best.
        suspect: Whether it is marked as of a head that is suspect.
    """

    value: str
    interval: str = ""
    word: str = ""
    column_rank: int = 0
    tied: bool = False
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A table as it is shown, the same in every form.

    Attributes:
        rows: What is compared.
        headers: The lines above each column; the first is shared by neighbours.
        titles: What each line of a place is.
        cells: ``cells[row][column][line]``.
        ranks: The mean rank of each row; empty if none is shown.
        caption: What the numbers are.
        intervals: What the intervals are, and their marks.
        notes: Whatever else stands below.
        chance: ``chance[column][line]``, the last line of the table; empty if there is
            none.
    """

    rows: Sequence[Row]
    headers: Sequence[Sequence[str]]
    titles: Sequence[str]
    cells: Sequence[Sequence[Sequence[TableCell]]]
    ranks: Sequence[TableCell]
    caption: str
    intervals: Sequence[str]
    notes: Sequence[str]
    chance: Sequence[Sequence[str]] = ()

    def chance_by_title(self) -> dict[str, list[str]]:
        """Return what guessing gives in each column, by the titles that have it."""
        by_title = zip(self.titles, zip(*self.chance, strict=True), strict=False)
        return {title: list(texts) for title, texts in by_title if any(texts)}

    def lines(self) -> list[str]:
        """Give the lines below, where intervals are shown."""
        caption = "; ".join([self.caption, *self.intervals[:1]])
        return [caption, *self.intervals[1:], *self.notes]


def percent(value: float) -> str:
    """Write a fraction of 1 in percent.

    Examples:
        >>> percent(0.6249)
        '62.5'
    """
    return f"{100 * value:.1f}"


def plain(text: str) -> str:
    """Make one line of a text, and control codes visible."""
    line = " ".join(text.split())
    return "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line
    )


def places(values: Sequence[str | None]) -> list[int]:
    """Give 1 to the largest numbers and 2 to the second largest, as they are shown.

    Equal to a reader means equal as shown. None takes no part.

    Examples:
        >>> places(["62.5", None, "62.5", "7.0", "60.1"])
        [1, 0, 1, 0, 2]
    """
    order = sorted({float(one) for one in values if one is not None}, reverse=True)
    found = {number: place for place, number in enumerate(order[:2], start=1)}
    return [0 if one is None else found.get(float(one), 0) for one in values]


def is_few(units: int, lows: Iterable[float | None]) -> bool:
    """Tell whether intervals rest on too few units to be relied on.

    Args:
        units: Of independence; 0 where their number is not known.
        lows: Where the intervals begin.
    """
    return 0 < units < FEW_UNITS and any(low is not None for low in lows)


def bounds(
    low: float | None, high: float | None, written: Callable[[float], str] = percent
) -> str:
    """Write the two ends of an interval."""
    if low is None or high is None:
        return NO_INTERVAL
    return f"{written(low)}, {written(high)}"


def signed(value: float) -> str:
    """Write a difference in percentage points, with its sign; zero has none.

    Examples:
        >>> signed(0.0123), signed(-0.0004)
        ('+1.2', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text


def probability(p: float) -> str:
    """Write a p-value; two digits, three below 0.1.

    Examples:
        >>> probability(0.2), probability(0.0312), probability(0.0004)
        ('0.20', '0.031', '<0.001')
    """
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    Examples:
        >>> joined(["UAR"]), joined(["UAR", "F1", "accuracy"])
        ('UAR', 'UAR, F1 and accuracy')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def brackets_note(protocols: Iterable[str], seeds: Iterable[Sequence[int]]) -> str:
    """Say what stands in brackets.

    Args:
        protocols: Lines that name the unit of independence.
        seeds: Of each number.
    """
    named = [one for line in protocols for one in re.findall("; unit (speaker)?", line)]
    units = "speakers" if all(named) else "the unit that a protocol names"
    if any(named) and not all(named):
        units = f"speakers, or {units}"
    several = any(len(one) > 1 for one in seeds)
    spread = ", with the spread of the seeds" if several else ""
    return f"in brackets 95 %, bootstrap over {units}{spread}"
