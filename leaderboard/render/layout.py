"""The content of a table as text, before it is written to a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.analysis.statistics import FEW_UNITS
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.reading.protocol_use import ProtocolUse

TITLES = {
    "uar": "UAR",
    "f1_macro": "F1",
    "f1_weighted": "weighted F1",
    "accuracy": "accuracy",
}
DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
"""Put before the title of a difference."""
TIED = "="
TIED_NOTE = (
    f"{TIED}: not significantly below the best row (paired bootstrap test, Holm's "
    "correction over the rows)"
)
FEW = "\N{DAGGER}"
FEW_NOTE = (
    f"{FEW}: fewer than {FEW_UNITS} speakers (or other units of independence), so "
    "intervals and tests are only approximate"
)
SUSPECT = "!"
SUSPECT_NOTE = f"{SUSPECT}: the training of this head is suspect, for the reason below"
SEEN = "\N{SECTION SIGN}"
SEEN_NOTE = f"{SEEN}: the upstream was trained on this corpus"
POOLED = "\N{DOUBLE DAGGER}"
POOLED_NOTE = (
    f"{POOLED}: computed over all folds together (pooled), since a fold lacks a class; "
    "other columns are means of folds"
)
CHANCE = "chance"
"""Name of the last row of a table, the chance level."""
CHANCE_NOTE = f"{CHANCE}: chance level, if each class is guessed equally often"


@dataclass(frozen=True, slots=True)
class TableCell:
    """One number of a table, as text.

    Attributes:
        value: The number, or a word for why there is none.
        interval: The two bounds of its interval; empty where none is shown.
        word: Further text, such as a p-value or the name of a class.
        column_rank: 1 for the best of its column as shown, 2 for the second, else 0.
        tied: Whether it is marked as not significantly below the best.
        marks: Marks behind the value, such as `SUSPECT`.
    """

    value: str
    interval: str = ""
    word: str = ""
    column_rank: int = 0
    tied: bool = False
    marks: str = ""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The content of a table, the same for every output format.

    Attributes:
        headers: The header lines of each column; neighbours may share the first.
        titles: Title of each number within a cell, such as ``UAR``.
        cells: ``cells[row][column][title]``.
        ranks: The mean rank of each row; empty if ranks are not shown.
        intervals: What the intervals are, and the marks on them.
        chance: ``chance[column][title]``, the last row of the table; empty if there is
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
        """Return the chance level in each column, by the titles that have one."""
        by_title = zip(self.titles, zip(*self.chance, strict=True), strict=False)
        return {title: list(texts) for title, texts in by_title if any(texts)}

    def footnotes(self) -> list[str]:
        """Return the lines below the table if intervals are shown."""
        caption = "; ".join([self.caption, *self.intervals[:1]])
        return [caption, *self.intervals[1:], *self.notes]


def plain(text: str) -> str:
    """Join the lines of a text, and replace control characters by a visible one."""
    line = " ".join(text.split())
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line
    )


def two_best(values: Sequence[str | None]) -> list[int]:
    """Mark the largest numbers with 1, the second largest with 2, others with 0.

    Numbers that are shown with the same digits are equal. None is not ranked.

    Examples:
        >>> two_best(["62.5", None, "62.5", "7.0", "60.1"])
        [1, 0, 1, 0, 2]
    """
    order = sorted({float(text) for text in values if text is not None}, reverse=True)
    ranks = {number: rank for rank, number in enumerate(order[:2], start=1)}
    return [0 if text is None else ranks.get(float(text), 0) for text in values]


def is_few(units: int, estimates: Iterable[Estimate]) -> bool:
    """Return whether there are intervals, from too few units to be reliable.

    The number of units of independence is 0 where it is not known.
    """
    return 0 < units < FEW_UNITS and any(item.bounds for item in estimates)


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    Examples:
        >>> joined(["UAR"]), joined(["UAR", "F1", "accuracy"])
        ('UAR', 'UAR, F1 and accuracy')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def brackets_note(
    protocols: Iterable[ProtocolUse], seeds: Iterable[Sequence[int]]
) -> str:
    """Say what the brackets hold, from the unit of each protocol and all seeds."""
    settings = [use.settings.by_name for use in protocols]
    units = [names["unit"] == "speaker" for names in settings if "unit" in names]
    drawn = "speakers" if all(units) else "the unit that the protocol names"
    if any(units) and not all(units):
        drawn = f"speakers, or {drawn}"
    several = any(len(numbers) > 1 for numbers in seeds)
    variance = ", including the variance over seeds" if several else ""
    return f"95 % interval in brackets, by bootstrap over {drawn}{variance}"
