"""Choose the rows and columns of a table that a figure shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from nserbench.errors import BadSpec, UnknownName
from nserbench.leaderboard.reading.counts import Column
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

    A text may hold several names, separated by commas. A corpus may have a noise, and a
    noise an SNR: ``demo-park@5``, ``park@5``. ``clean`` is a noise. The name
    of a protocol stands for every version of it, and for none of its variants:
    ``paper`` is not ``paper+oracle``.

    Raises:
        UnknownName: if nothing in the table has a name.
        BadSpec: if a name cannot be read.
    """
    rows, columns = list(table.rows), list(table.columns)
    upstream = _labels("upstream", upstreams, {row.upstream for row in rows})
    head = _labels("head", heads, {row.downstream for row in rows})
    corpus = _chosen("corpus", corpora, columns, _corpus_names)
    noise = _chosen("noise", noises, columns, _noise_names)
    protocol = _protocols(protocols, [column.protocol for column in columns])
    return dataclasses.replace(
        table,
        rows=[
            row for row in rows if row.upstream in upstream and row.downstream in head
        ],
        columns=[
            column
            for column in columns
            if column in corpus and column in noise and column.protocol in protocol
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


def _chosen(
    kind: str,
    typed: Iterable[str],
    columns: Sequence[Column],
    names_of: Callable[[Column], list[str]],
) -> set[Column]:
    """Return the columns with a name among those typed; all where there is none."""
    labels = {name for column in columns for name in names_of(column)}
    chosen = _labels(kind, typed, labels)
    return {column for column in columns if chosen & {*names_of(column)}}


def _corpus_names(column: Column) -> list[str]:
    """Return a column's corpus alone, with its noise, and with its condition."""
    name, colon, options = column.corpus.partition(":")
    where = [noise_of(column.condition), column.condition]
    return [column.corpus, *(f"{name}-{one}{colon}{options}" for one in where)]


def _noise_names(column: Column) -> list[str]:
    return [noise_of(column.condition), column.condition]


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
