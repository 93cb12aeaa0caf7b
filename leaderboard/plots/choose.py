"""The part of a table that a figure is to show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import chain

from nserbench.errors import BadSpec, UnknownName
from nserbench.leaderboard.tables.summary import SummaryTable
from nserbench.spec import Spec, parse_spec, parse_specs


def choose(
    table: SummaryTable,
    *,
    upstreams: Sequence[str] = (),
    heads: Sequence[str] = (),
    corpora: Sequence[str] = (),
    noises: Sequence[str] = (),
    protocols: Sequence[str] = (),
) -> SummaryTable:
    """Keep some rows and columns of a table; all where nothing is named.

    A name stands for all rows that have it: ``whisper`` for every checkpoint, and
    ``single:groups=encoder`` for every layer of the encoder.

    Args:
        table: Where to choose from.
        upstreams: Names, several with commas.
        heads: Likewise.
        corpora: Likewise.
        noises: Likewise; ``clean`` is one.
        protocols: Likewise. A name stands for every version of that protocol, and for
            none of its variants: ``paper`` is not ``paper+oracle``.

    Raises:
        UnknownName: if nothing in the table has a name.
        BadSpec: if a name cannot be read.
    """
    rows, columns = list(table.rows), list(table.columns)
    kept = {row.upstream for row in rows}, {row.downstream for row in rows}
    places = {one.corpus for one in columns}, {one.condition for one in columns}
    upstream = _named("upstream", upstreams, kept[0])
    head = _named("head", heads, kept[1])
    corpus = _named("corpus", corpora, places[0])
    noise = _named("noise", noises, {noise_of(one) for one in places[1]})
    protocol = _protocols(protocols, [one.protocol for one in columns])
    return dataclasses.replace(
        table,
        rows=[
            row for row in rows if row.upstream in upstream and row.downstream in head
        ],
        columns=[
            column
            for column in columns
            if column.corpus in corpus
            and noise_of(column.condition) in noise
            and column.protocol in protocol
        ],
    )


def noise_of(condition: str) -> str:
    """Give the noise of a condition, without its level; ``clean`` is one."""
    noise, at, _ = condition.rpartition("@")
    return noise if at else condition


def _named(kind: str, typed: Iterable[str], labels: set[str]) -> set[str]:
    """Give the labels that names stand for."""
    names = [name for text in typed for name in parse_specs(text)]
    found = set() if names else labels
    for name in names:
        meant = {label for label in labels if _means(name, label)}
        if not meant:
            known = labels | {label.partition(":")[0] for label in labels}
            raise UnknownName(kind, name.name, known, "the results have these")
        found = found | meant
    return found


def _protocols(typed: Iterable[str], labels: Sequence[str]) -> set[str]:
    """Return the protocols, with their versions, that names stand for."""
    names = [name.strip() for text in typed for name in text.split(",")]
    for name in names:
        if not any(name in _spellings(label) for label in labels):
            known = dict.fromkeys(chain.from_iterable(map(_spellings, labels)))
            raise UnknownName("protocol", name, known, "the results have these")
    return {one for one in labels if not names or {*names} & {*_spellings(one)}}


def _spellings(protocol: str) -> tuple[str, ...]:
    """Return how a protocol may be typed: without its version, and with it."""
    return protocol.rpartition(" v")[0] or protocol, protocol


def _means(name: Spec, label: str) -> bool:
    try:
        whole = parse_spec(label)
    except BadSpec:  # a label of others may be anything
        return name == Spec(label)
    same = whole.name == name.name
    return same and name.options.items() <= whole.options.items()
