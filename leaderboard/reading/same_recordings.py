"""Corpora of different names that are the same recordings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from nserbench.leaderboard.reading.counts import Column, CountedResult
from nserbench.leaderboard.reading.protocol_use import Cells
from nserbench.natural_order import natural_order

_FACTS = "corpus", "recordings"
"""Digests in the provenance of a result: of audio with ids, and of audio alone."""

Repeats: TypeAlias = Mapping[Column, str]
"""The columns that count in no mean, and the corpus that counts in their place."""


def repeats_of(cells: Cells) -> Repeats:
    """Return the columns whose recordings are those of another corpus.

    Of the corpora of one protocol that are the same recordings, the one with the most
    finished results counts, and of several the first by name.
    """
    done = [
        (column, result)
        for (_, column), results in cells.items()
        for result in results
        if result.counts is not None
    ]
    named: dict[tuple[str, ...], set[str]] = defaultdict(set)
    sizes: Counter[tuple[str, str]] = Counter()
    for column, result in done:
        sizes[column.corpus, column.protocol] += 1
        for digest in _digests(result):
            named[column.protocol, *digest].add(column.corpus)
    repeats = {}
    for column, result in done:
        corpora = {
            corpus
            for digest in _digests(result)
            for corpus in named[column.protocol, *digest]
        }
        first = min(
            corpora | {column.corpus},
            key=lambda corpus: (-sizes[corpus, column.protocol], natural_order(corpus)),
        )
        if first != column.corpus:
            repeats[column] = first
    return repeats


def _digests(result: CountedResult) -> Iterator[tuple[str, str]]:
    for key in _FACTS:
        if result.facts.get(key, "None") != "None":
            yield key, result.facts[key]
