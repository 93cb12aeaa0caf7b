"""How many utterances each fold trains and tests, with and without its name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from nserbench.benchmark.results.counted import PredictionsOrCounts, UnitCounts

FOLDS = "folds"
"""The setting of a protocol with the sizes of each fold, by its name."""


def fold_flaws(
    predictions: PredictionsOrCounts, protocol: Mapping[str, object]
) -> Iterator[str]:
    """Say where the test sets of folds differ in size from what a protocol says."""
    if not isinstance(sizes := protocol.get(FOLDS), Mapping):
        return
    expected = {
        fold: parts.get("test") if isinstance(parts, Mapping) else None
        for fold, parts in sizes.items()
    }
    if expected != (found := _sizes(predictions)):
        yield f"the folds hold {found} utterances, but the protocol says {expected}"


def _sizes(predictions: PredictionsOrCounts) -> dict[str, int]:
    if isinstance(predictions, UnitCounts):
        tested = predictions.answers.sum(axis=(0, 2, 3)).tolist()
        return dict(zip(predictions.folds, tested, strict=True))
    return dict(sorted(Counter(predictions.folds).items()))


def without_fold_names(protocol: Mapping[str, object]) -> dict[str, object]:
    """Return a protocol's settings with the sizes of folds alone.

    They are equal for predictions and for counts, whose folds have digests for names.
    So is not the digest of the protocol, which is left out.
    """
    settings = {key: value for key, value in protocol.items() if key != "digest"}
    if isinstance(sizes := settings.get(FOLDS), Mapping):
        settings[FOLDS] = sorted(sizes.values(), key=json.dumps)
    return settings
