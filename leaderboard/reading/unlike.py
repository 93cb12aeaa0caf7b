"""Leave out results that share a name with others but not what it stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nserbench.leaderboard.reading.counts import CountedResult
from nserbench.leaderboard.reading.pairs import MODELS

_NAMES = "name", "version", "digest"

Identity: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A name in a table, and what must be equal wherever it stands.

    Attributes:
        of: Returns the names that share it, of a result; None if it has none.
        identity: Returns what the name stands for, by key; empty if the result does
            not say.
    """

    what: str
    of: Callable[[CountedResult], tuple[str, ...] | None]
    identity: Callable[[Mapping[str, str]], Iterator[tuple[str, str]]]


def leave_out_unlike(
    results: Sequence[CountedResult],
) -> tuple[list[CountedResult], list[str]]:
    """Leave out finished results that would share a row or column with others.

    Two checkpoints, corpora or noises of one name are never in one table: those of the
    newest result stay.

    Returns:
        The other results, in their order, and a line for each name with several
        meanings.
    """
    kept, notes = list(results), []
    for subject in SUBJECTS:
        groups: dict[tuple[str, ...], list[CountedResult]] = defaultdict(list)
        for result in kept:
            name = subject.of(result)
            if name is not None and result.counts is not None:
                groups[name].append(result)
        for name, group in groups.items():
            if odd := _odd(group, subject):
                notes.append(_note(subject, name, odd))
                left_out = {id(result) for result in odd}
                kept = [result for result in kept if id(result) not in left_out]
    return kept, notes


def _odd(results: Sequence[CountedResult], subject: Subject) -> list[CountedResult]:
    """Return the results whose identity is known, and not that of the newest one."""
    known = {id(r): tuple(sorted(subject.identity(r.facts))) for r in results}
    stated = [result for result in results if known[id(result)]]
    if not stated:
        return []
    newest = known[id(max(stated, key=lambda result: result.finished))]
    return [result for result in stated if known[id(result)] != newest]


def _note(subject: Subject, name: tuple[str, ...], odd: Sequence[CountedResult]) -> str:
    cells = dict.fromkeys(f"{result.row}, {result.column}" for result in odd)
    first, *others = cells
    more = f" and {len(others)} more" if others else ""
    return (
        f"{' '.join(name)}: {len(odd)} results with other {subject.what} than the "
        f"newest are left out ({first}{more}): keep them in another folder, or give "
        "them another name"
    )


def _models(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        if key.partition(".")[0] in MODELS and value != "None":
            yield key, value


def _of(*keys: str) -> Callable[[Mapping[str, str]], Iterator[tuple[str, str]]]:
    def identity(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        return ((key, facts[key]) for key in keys if facts.get(key) is not None)

    return identity


def _settings(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        of, _, name = key.partition(".")
        if of == "protocol" and name not in _NAMES:
            yield key, value


def _noise(result: CountedResult) -> tuple[str, ...] | None:
    noise = result.column.condition.rpartition("@")[0]
    return (noise, "on", *_where(result)) if noise else None


def _where(result: CountedResult) -> tuple[str, ...]:
    return result.column.corpus, "by", result.column.protocol


SUBJECTS = (
    Subject("weights", lambda result: (result.row.upstream,), _models),
    Subject("audio, utterances or labels", _where, _of("corpus", "labels")),
    Subject("noise or mixing", _noise, _of("noise", "mix_version")),
    Subject(
        "settings of the protocol",
        lambda one: (f"{one.row},", str(one.column), "by", one.column.protocol),
        _settings,
    ),
)
"""What a table takes as equal wherever a name stands."""
