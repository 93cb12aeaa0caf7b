"""Results without ids of utterances and speakers."""

from __future__ import annotations

from dataclasses import replace

from nserbench.benchmark.results.counted import without_ids
from nserbench.benchmark.results.result import Result

KEPT = (
    *("edition", "utterances", "hours", "cut_to", "training", "layer_weights"),
    *("flags", "choices", "tuning", "overlap", "trained_on", "upstream_remark"),
)
"""Notes that name no utterance."""
NOT_PUBLISHED = "not published"
LISTS = ("padded", "cut")
"""Notes that are lists of ids, of which the number is kept."""


def result_without_ids(result: Result) -> Result:
    """Return a finished result with counts for predictions, and no ids in its notes.

    Raises:
        ValueError: if it is not done.
    """
    if result.predictions is None:
        raise ValueError("a result that is not done has no predictions")
    notes = {key: result.notes[key] for key in KEPT if key in result.notes}
    for key in LISTS:
        if isinstance(ids := result.notes.get(key), list):
            notes[key] = [NOT_PUBLISHED] * len(ids)
    return replace(result, predictions=without_ids(result.predictions), notes=notes)
