"""Results without ids of utterances and speakers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from nserbench.benchmark.results.counted import HiddenNames, UnitCounts
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.suspect_flags import ALL_FOLDS
from nserbench.benchmark.store.digests import digest
from nserbench.leaderboard.reading.fold_sizes import FOLDS

BY_FOLD = ("training", "layer_weights", "flags", "choices")
"""Notes about each fold, by its name."""
KEPT = (
    *("edition", "utterances", "hours", "cut_to"),
    *("tuning", "overlap", "trained_on", "upstream_remark"),
)
"""Other notes that name no utterance, speaker or fold."""
LISTS = ("padded", "cut")
"""Notes that are lists of ids, of which the number is kept."""
NOT_PUBLISHED = "not published"

_HIDDEN = re.compile("[0-9a-f]{12}")

T = TypeVar("T")


def result_without_ids(result: Result) -> Result:
    """Return a finished result with counts for predictions, and no ids elsewhere.

    Names of folds, which may be speakers, are digests in the protocol and in notes, in
    the order of the digests. A result that has counts is returned as it is.

    Raises:
        ValueError: if it is not done.
    """
    if result.counts is not None:
        return result
    if result.predictions is None:
        raise ValueError("a result that is not done has no predictions")
    names = HiddenNames.of(result.predictions).folds
    protocol = dict(result.protocol_details)
    if isinstance(sizes := protocol.get(FOLDS), Mapping):
        protocol[FOLDS] = _renamed(sizes, names)
    if "digest" in protocol:
        del protocol["digest"]
        protocol["digest"] = digest(protocol)
    return replace(
        result,
        predictions=None,
        counts=UnitCounts.of(result.predictions),
        protocol_details=protocol,
        notes=_notes(result.notes, {**names, ALL_FOLDS: ALL_FOLDS}),
    )


def _notes(notes: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return the notes that may be published, with other names for folds."""
    kept = {key: notes[key] for key in KEPT if key in notes}
    for key in BY_FOLD:
        if isinstance(by_fold := notes.get(key), Mapping):
            kept[key] = _renamed(by_fold, names)
    for key in LISTS:
        if isinstance(ids := notes.get(key), list):
            kept[key] = [NOT_PUBLISHED] * len(ids)
    return kept


def _renamed(by_fold: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    """Rename folds, in the order of their new names; others are left out."""
    known = by_fold.keys() & names.keys()
    return {names[fold]: by_fold[fold] for fold in sorted(known, key=names.__getitem__)}


def id_flaws(result: Result, counts: UnitCounts) -> Iterator[str]:
    """Say where a result that has counts may have ids, or names of speakers."""
    for what, names in (("units", counts.units), ("folds", counts.folds)):
        if not all(map(_HIDDEN.fullmatch, names)):
            yield (
                f"its counts have names of {what} that are no digests: `nserbench "
                "submit` writes them"
            )
    if others := sorted(result.notes.keys() - {*KEPT, *BY_FOLD, *LISTS}):
        yield f"its notes may have ids: {', '.join(others)}"
    for key in BY_FOLD:
        by_fold = result.notes.get(key, {})
        if not isinstance(by_fold, Mapping) or by_fold.keys() - {
            *counts.folds,
            ALL_FOLDS,
        }:
            yield f"its notes may have names of folds: {key}"
    for key in LISTS:
        ids = result.notes.get(key, [])
        if not isinstance(ids, list) or any(one != NOT_PUBLISHED for one in ids):
            yield f"its notes may have ids: {key}"
