"""Leave out results that share a name with others but not what it stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nserbench.leaderboard.reading.counts import CountedResult
from nserbench.leaderboard.reading.pairs import MODELS

_NAMES = "name", "version", "digest"
_AGAIN = "run them again, or keep them in another folder"
_TOGETHER = "run all conditions in one command, or keep them in another folder"


@dataclass(frozen=True, slots=True)
class Subject:
    """A name in a table, and what must be equal wherever it stands.

    Attributes:
        of: Returns the names that share it, of a result; None if it has none.
        identity: Returns what the name stands for, by key; a result of an older
            nserbench lacks keys.
        advice: What to do with results that are left out.
    """

    what: str
    of: Callable[[CountedResult], tuple[str, ...] | None]
    identity: Callable[[Mapping[str, str]], Iterator[tuple[str, str]]]
    advice: str = "keep them in another folder, or give them another name"


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
    """Return the results that differ from the newest one that says the same key."""
    stated = {id(result): dict(subject.identity(result.facts)) for result in results}
    newest: dict[str, str] = {}
    for result in sorted(results, key=lambda result: result.finished):
        newest.update(stated[id(result)])
    return [
        result
        for result in results
        if any(newest[key] != value for key, value in stated[id(result)].items())
    ]


def _note(subject: Subject, name: tuple[str, ...], odd: Sequence[CountedResult]) -> str:
    cells = dict.fromkeys(f"{result.row}, {result.column}" for result in odd)
    first, *others = cells
    more = f" and {len(others)} more" if others else ""
    result, are = ("result", "is") if len(odd) == 1 else ("results", "are")
    return (
        f"{' '.join(name)}: {len(odd)} {result} with other {subject.what} than the "
        f"newest {are} left out ({first}{more}): {subject.advice}"
    )


def _models(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _together("models", facts, _is_model)


def _is_model(key: str, value: str) -> bool:
    return key.partition(".")[0] in MODELS and value != "None"


def _of(*keys: str) -> Callable[[Mapping[str, str]], Iterator[tuple[str, str]]]:
    def identity(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        return ((key, facts[key]) for key in keys if facts.get(key, "None") != "None")

    return identity


def _training_noise(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, facts[key]) for key in facts if key.startswith("training_noise."))


def _settings(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _together("settings", facts, _is_setting)


def _is_setting(key: str, value: str) -> bool:
    of, _, name = key.partition(".")
    return of == "protocol" and name not in _NAMES


def _together(
    name: str, facts: Mapping[str, str], chosen: Callable[[str, str], bool]
) -> Iterator[tuple[str, str]]:
    """Yield some facts as one: one that is missing differs from any value."""
    if found := sorted(item for item in facts.items() if chosen(*item)):
        yield name, str(found)


def _noise(result: CountedResult) -> tuple[str, ...] | None:
    noise = result.column.condition.rpartition("@")[0]
    return (noise, "on", *_where(result)) if noise else None


def _where(result: CountedResult) -> tuple[str, ...]:
    return result.column.corpus, "by", result.column.protocol


SUBJECTS = (
    Subject("weights", lambda one: (one.row.upstream,), _models),
    Subject("code", lambda one: (one.row.upstream,), _of("code.upstream"), _AGAIN),
    Subject("code", lambda one: (one.row.downstream,), _of("code.head"), _AGAIN),
    Subject("fine-tuning", lambda one: (str(one.row),), _of("code.tuning"), _AGAIN),
    Subject("audio, utterances or labels", _where, _of("corpus", "labels")),
    Subject("texts", _where, _of("texts"), _AGAIN),
    Subject("noise or mixing", _noise, _of("noise", "noise_segments", "mix_version")),
    Subject("noise in the training set", _where, _training_noise, _AGAIN),
    Subject("conditions in the training set", _where, _of("protocol.noise"), _TOGETHER),
    Subject(
        "settings of the protocol",
        lambda one: (f"{one.row},", str(one.column), "by", one.column.protocol),
        _settings,
    ),
)
"""What a table takes as equal wherever a name stands."""
