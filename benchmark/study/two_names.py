"""Refuse a corpus that is asked for under two names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from nserbench.benchmark.study.protocols import Protocol
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadSpec


def refuse_two_names(
    corpora: Mapping[str, Corpus], protocols: Mapping[str, Protocol]
) -> None:
    """Refuse two corpora of which every number must be the same.

    They have the same files, labels, folds and noises, and the same protocol.

    Args:
        corpora: The corpora by label.
        protocols: Their protocols by label.

    Raises:
        BadSpec: if there are two.
    """
    for (name, one), (other, second) in combinations(corpora.items(), 2):
        if protocols[name] == protocols[other] and _equal(one, second):
            raise BadSpec(
                f"{name} and {other} are one corpus under two names: they have the "
                "same files, labels and folds\n  leave one of the two out"
            )


def _equal(one: Corpus, other: Corpus) -> bool:
    """Return whether two corpora have the same utterances, test sets and noises."""
    if len(one.utterances) != len(other.utterances):
        return False
    fields = ("classes", "tested", "trained", "dev", "noises")
    if any(getattr(one, field) != getattr(other, field) for field in fields):
        return False
    pairs = zip(one.utterances, other.utterances, strict=True)
    return all(_absolute(first) == _absolute(second) for first, second in pairs)


def _absolute(utterance: Utterance) -> Utterance:
    return replace(utterance, path=Path.cwd() / utterance.path)
