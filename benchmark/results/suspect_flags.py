"""Flags: signs that a trained head did not learn properly, whatever its score."""

from __future__ import annotations

from collections.abc import Mapping

DEAD, RISING = "dead head", "rising loss"
SCALE, BY_HEART, MIXED = "input scale", "learned by heart", "mixed software"
MEANINGS: Mapping[str, str] = {
    DEAD: "in some fold it predicts one class for all utterances; try more epochs",
    RISING: "in some fold the loss on the training set rose",
    SCALE: "its input features have a standard deviation far from 1",
    BY_HEART: "it fits its training set, but a pooled head is far better in the test",
    MIXED: "its features or heads were not all made by the same software and device",
}
"""The meaning of each flag, as reports print it."""
ALL_FOLDS = "all folds"
"""Key of the flags that belong to no single fold."""


def kind_of(line: str) -> str:
    """Return the flag that a line of a result's notes begins with.

    Raises:
        ValueError: if the line begins with no key of `MEANINGS`.
    """
    kind = line.partition(":")[0]
    if kind not in MEANINGS:
        raise ValueError(f"{line!r} is no flag: {', '.join(MEANINGS)}")
    return kind
