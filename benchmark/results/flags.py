"""The names of what makes a fitted head suspect, whatever its score."""

from __future__ import annotations

from collections.abc import Mapping

DEAD, RISING = "dead head", "rising loss"
SCALE, BY_HEART = "input scale", "learned by heart"
MEANINGS: Mapping[str, str] = {
    DEAD: "in some fold it answers one class to everything",
    RISING: "in some fold the loss on the training set rose",
    SCALE: "its features come with a standard deviation that is far from 1",
    BY_HEART: "it knows its training set, but a pooled head tests far better",
}
"""What each flag says of a cell."""
ALL_FOLDS = "all folds"
"""What the flags of no single fold stand under."""


def kind_of(line: str) -> str:
    """Return which of `MEANINGS` a line is of.

    Raises:
        ValueError: if it is of none.
    """
    kind = line.partition(":")[0]
    if kind not in MEANINGS:
        raise ValueError(f"{line!r} is no flag: {', '.join(MEANINGS)}")
    return kind
