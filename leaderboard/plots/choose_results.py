"""Choose the rows and columns of a table that a figure shows."""

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
    """Keep some rows and columns of a table; all where no name is passed.

    A name stands for all rows that have it: ``whisper`` for every checkpoint, and
    ``single:groups=encoder`` for every layer of the encoder.

    A text may hold several names, separated by commas. ``clean`` is a noise. The name
    of a protocol stands for every version of it, and for none of its variants:
    ``paper`` is not ``paper+oracle``.

    Raises:
        UnknownName: if nothing in the table has a name.
        BadSpec: if a name cannot be read.
    """
    rows, columns = list(table.rows), list(table.columns)
    upstream = _labels("upstream", upstreams, {row.upstream for row in rows})
    head = _labels("head", heads, {row.downstream for row in rows})
    corpus = _labels("corpus", corpora, {column.corpus for column in columns})
    in_table = {noise_of(column.condition) for column in columns}
    noise = _labels("noise", noises, in_table)
    protocol = _protocols(protocols, [column.protocol for column in columns])
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
    """Return the noise of a condition without its SNR; ``clean`` is one."""
    noise, at, _ = condition.rpartition("@")
    return noise if at else condition


def _labels(kind: str, typed: Iterable[str], labels: set[str]) -> set[str]:
    """Return the labels that the typed names stand for; all where there is no name."""
    names = [name for text in typed for name in parse_specs(text)]
    chosen = set() if names else labels
    for name in names:
        matching = {label for label in labels if _matches(name, label)}
        if not matching:
            known = labels | {label.partition(":")[0] for label in labels}
            raise UnknownName(kind, name.name, known, "the results have these")
        chosen = chosen | matching
    return chosen


def _protocols(typed: Iterable[str], labels: Sequence[str]) -> set[str]:
    """Return the protocols, with their versions, that the typed names stand for."""
    names = [name.strip() for text in typed for name in text.split(",")]
    for name in names:
        if not any(name in _spellings(label) for label in labels):
            known = dict.fromkeys(chain.from_iterable(map(_spellings, labels)))
            raise UnknownName("protocol", name, known, "the results have these")
    return {label for label in labels if not names or {*names} & {*_spellings(label)}}


def _spellings(protocol: str) -> tuple[str, ...]:
    """Return how a protocol may be typed: without its version, and with it."""
    return protocol.rpartition(" v")[0] or protocol, protocol


def _matches(name: Spec, label: str) -> bool:
    try:
        labelled = parse_spec(label)
    except BadSpec:  # a label in results of others may be any text
        return name == Spec(label)
    same_name = labelled.name == name.name
    return same_name and name.options.items() <= labelled.options.items()
