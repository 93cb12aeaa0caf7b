"""Whether an upstream was trained on the corpus that it is tested on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from nserbench.benchmark.results.result import Result
from nserbench.errors import BadResult

Seen: TypeAlias = Literal["yes", "unknown", "not said", "no"]
"""Whether a corpus was seen in training. ``unknown``: the training data are not all
public, and it is not among those that are. ``not said``: nothing is said of the
training data, or of those of one of several models, and it is not among the others."""

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
    facts = note if isinstance(note, Mapping) else {}
    corpora, complete = facts.get("corpora"), facts.get("complete")
    said = facts.get("said", True)  # results of older versions do not have it
    truths = isinstance(complete, bool) and isinstance(said, bool)
    if not isinstance(corpora, list | tuple) or not truths:
        raise BadResult(
            f"{name}: notes.{TRAINED_ON} must have a list of corpora, and whether it "
            "is complete and said of all models"
        )
    if _plain(map(str, corpora)) & _plain(_names(result.corpus)):
        return "yes"
    if not complete:
        return "unknown"
    return "no" if said else "not said"


def worst(seen: Iterable[Seen]) -> Seen:
    """Return the value that warns the most, of at least one."""
    return min(seen, key=get_args(Seen).index)


def _names(corpus: str) -> list[str]:
    """Return the name of a corpus and the values of its options."""
    return [part.rpartition("=")[2] for part in re.split("[:,]", corpus)]


def _plain(names: Iterable[str]) -> set[str]:
    """Write each name with letters and digits alone, as ``cremad`` for ``crema-d``."""
    return {re.sub(r"[\W_]", "", name).lower() for name in names}
