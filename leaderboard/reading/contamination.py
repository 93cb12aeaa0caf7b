"""Whether an upstream was trained on the corpus that it is tested on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from nserbench.benchmark.results.result import Result
from nserbench.errors import BadResult

Seen: TypeAlias = Literal["yes", "unknown", "not said", "no"]
"""Whether a corpus was seen in training. ``unknown``: the training data are not all
public, and it is not among those that are. ``not said``: the card says nothing."""

TRAINED_ON = "trained_on"
"""The note of a result that has the fields of a `TrainingData`."""


def seen_in_training(result: Result, name: str) -> Seen:
    """Return whether the corpus of a result was seen in training.

    A corpus has the name that is typed, and those among its options, as in
    ``emobox:name=iemocap``. Letters and digits of names are compared.

    Args:
        name: The name of the result for messages.

    Raises:
        BadResult: if the note is malformed.
    """
    if (note := result.notes.get(TRAINED_ON)) is None:
        return "not said"
    corpora = note.get("corpora") if isinstance(note, Mapping) else None
    complete = note.get("complete") if isinstance(note, Mapping) else None
    if not isinstance(corpora, list | tuple) or not isinstance(complete, bool):
        raise BadResult(
            f"{name}: notes.{TRAINED_ON} must have a list of corpora, and whether it "
            "is complete"
        )
    if _plain(map(str, corpora)) & _plain(_names(result.corpus)):
        return "yes"
    return "no" if complete else "unknown"


def worst(seen: Iterable[Seen]) -> Seen:
    """Return the value that warns the most, of at least one."""
    return min(seen, key=get_args(Seen).index)


def _names(corpus: str) -> list[str]:
    """Return the name of a corpus and the values of its options."""
    return [part.rpartition("=")[2] for part in re.split("[:,]", corpus)]


def _plain(names: Iterable[str]) -> set[str]:
    """Write each name with letters and digits alone, as ``cremad`` for ``crema-d``."""
    return {re.sub(r"[\W_]", "", name).lower() for name in names}
