"""Result folders, reduced to what a leaderboard needs of each cell."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.flags import MEANINGS, kind_of
from nserbench.benchmark.results.metrics import answers_by, bootstrap, lacks_a_class
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import (
    Result,
    Status,
    read_result,
    result_folders,
)
from nserbench.benchmark.study.overlap import Overlap
from nserbench.errors import BadResult


@dataclass(frozen=True, slots=True)
class Counts:
    """The answers of a cell that is done.

    Attributes:
        utterances: How many were tested.
        tested: Equal for two cells that were tested on the same utterances, with the
            same labels, units of independence and folds.
        answers: ``(units, folds, classes, classes)``, confusion matrices.
        drawn: The headline in each draw of units, ``(draws,)``, by metric. Empty until
            `resampled`, and with one unit.
    """

    utterances: int
    tested: int
    answers: NDArray[np.int64]
    drawn: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, predictions: Predictions) -> Counts:
        """Count the answers, so that the predictions can be let go."""
        facts = zip(
            predictions.utterances,
            predictions.labels.tolist(),
            predictions.independent,
            predictions.folds,
            strict=True,
        )
        text = json.dumps([predictions.classes, sorted(facts)])
        digest = hashlib.sha256(text.encode()).digest()
        return cls(
            utterances=len(predictions.utterances),
            tested=int.from_bytes(digest[:8], "big"),
            answers=answers_by(predictions)[1],
        )

    @property
    def folds(self) -> NDArray[np.int64]:
        """The confusion matrix of each fold, ``(folds, classes, classes)``."""
        return np.asarray(self.answers.sum(axis=0))

    @property
    def pooled(self) -> bool:
        """Whether a fold lacks a class, so that the folds are scored as one."""
        return lacks_a_class(self.answers)

    def resampled(self) -> Counts:
        """Add the bootstrap draws, unless they are there or there is one unit."""
        if self.drawn or len(self.answers) < 2:
            return self
        return dataclasses.replace(self, drawn=bootstrap(self.answers))


@dataclass(frozen=True, slots=True)
class Row:
    """What is compared: an upstream and a head, as in tables."""

    upstream: str
    downstream: str

    def __str__(self) -> str:
        return f"{self.upstream} x {self.downstream}"


@dataclass(frozen=True, slots=True)
class Column:
    """Where it is compared.

    Attributes:
        corpus: As in tables.
        condition: ``clean``, or a noise at an SNR in dB such as ``park@0``.
        protocol: Name and version. No two protocols share a column.
    """

    corpus: str
    condition: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.corpus} {self.condition}"


RowColumn: TypeAlias = tuple[Row, Column]


@dataclass(frozen=True, slots=True)
class CountedResult:
    """One result.

    Attributes:
        row: Where it stands in a table.
        column: Likewise.
        seed: Of the fits.
        settles: What the protocol settles, in words; empty where that was not known.
        status: Whether it is done.
        reason: Why it is not.
        finished: When it was.
        facts: Protocol and provenance by key, to tell two results apart.
        counts: None unless it is done.
        overlap: What training and test share, in words; empty where that was not known.
        flags: What makes it suspect; names in `results.flags.MEANINGS`.
    """

    row: Row
    column: Column
    seed: int
    protocol_settings: str
    status: Status
    reason: str | None
    finished: datetime
    facts: Mapping[str, str]
    counts: Counts | None
    overlap: str = ""
    flags: tuple[str, ...] = ()


def read_counted_results_uncached(root: Path) -> list[CountedResult]:
    """Read every result in a folder.

    Metrics are not read: what a leaderboard shows is computed from predictions.

    Raises:
        BadResult: if there is none, or one cannot be read.
    """
    return [read_counted_result(folder) for folder in folders_of(root)]


def folders_of(root: Path) -> list[Path]:
    """Find the results in a folder, by name.

    Raises:
        BadResult: if there is none.
    """
    folders = result_folders(root)
    if not folders:
        problem = "holds no results" if root.is_dir() else "is not a folder"
        raise BadResult(
            f"{root} {problem}\n"
            "  name another folder, or make results, for instance with\n"
            "    nserbench run --upstream mel --downstream mean --corpus demo "
            f"--out {root}"
        )
    return folders


def row_and_column(result: Result) -> RowColumn:
    """Give the row and the column in which a result stands."""
    version = result.protocol_details.get("version")
    protocol = f"{result.protocol} v{version}" if version else result.protocol
    column = Column(result.corpus, result.condition, protocol)
    return Row(result.upstream, result.downstream), column


def read_counted_result(folder: Path) -> CountedResult:
    """Read the result in one folder.

    Raises:
        BadResult: if it cannot be read.
    """
    return count_result(read_result(folder), str(folder))


def count_result(result: Result, name: str = "") -> CountedResult:
    """Return what a leaderboard needs of a result.

    Args:
        result: What was read.
        name: What it is called in messages; the name of its folder unless given.

    Raises:
        BadResult: if its condition or the time at which it was finished cannot be read.
    """
    details, found = result.protocol_details, result.predictions
    _check_condition(result.condition, name or result.folder)
    row, column = row_and_column(result)
    return CountedResult(
        row=row,
        column=column,
        seed=result.seed,
        protocol_settings="; ".join(_settings_text(details)),
        status=result.status,
        reason=result.reason,
        finished=finished_at(result, name),
        facts=dict(_facts({"protocol": details, **result.provenance})),
        counts=None if found is None else Counts.of(found),
        overlap=_overlap(result, name or result.folder),
        flags=_flags(result, name or result.folder),
    )


def _flags(result: Result, name: str) -> tuple[str, ...]:
    """Return which kinds of flags a result has, in the order of `MEANINGS`."""
    try:
        told = cast("Mapping[str, list[str]]", result.notes.get("flags", {}))
        kinds = {kind_of(line) for lines in told.values() for line in lines}
    except (AttributeError, TypeError, ValueError) as error:
        raise BadResult(f"{name}: notes.flags: {error}") from error
    return tuple(kind for kind in MEANINGS if kind in kinds)


def _overlap(result: Result, name: str) -> str:
    """Say what the training and the test part of a result share."""
    if (told := result.notes.get("overlap")) is None:
        return ""
    try:
        return str(Overlap.read(told))
    except ValueError as error:
        raise BadResult(f"{name}: notes.overlap: {error}") from error


def _settings_text(details: Mapping[str, object]) -> Iterator[str]:
    """Say the recipe and the other settings of a protocol, without its folds."""
    for key, value in details.items():
        if key == "recipe" and isinstance(value, Mapping):
            yield ", ".join(_settings_text(value))
        elif isinstance(value, bool):
            yield f"{key} {'yes' if value else 'no'}"
        elif isinstance(value, str | int | float) and key not in _TITLE:
            yield f"{key} {value}"


_TITLE = ("name", "version", "digest")


def _facts(content: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", str(one)) for inner, one in value.items())
        else:
            yield key, str(value)


def _check_condition(condition: str, folder: str) -> None:
    try:
        condition_order(condition)
    except ValueError as error:
        raise BadResult(
            f"{folder}: the condition {condition!r} is neither clean nor NOISE@SNR"
        ) from error


def condition_order(condition: str) -> tuple[int, str, float]:
    """Sort clean first, then noises by name, each from high to low SNR.

    Raises:
        ValueError: if the condition is neither ``clean`` nor a noise at an SNR.

    Examples:
        >>> sorted(["park@0", "clean", "park@5", "human@-5"], key=condition_order)
        ['clean', 'human@-5', 'park@5', 'park@0']
    """
    if condition == "clean":
        return 0, "", 0.0
    noise, _, snr = condition.rpartition("@")
    return 1, noise, -float(snr)


def finished_at(result: Result, name: str = "") -> datetime:
    """Return the instant at which a result was finished, so that two can be compared.

    A time without an offset is taken for UTC.

    Args:
        result: What was read.
        name: What it is called in messages; the name of its folder unless given.

    Raises:
        BadResult: if ``provenance.finished`` is no ISO 8601 time.
    """
    said = result.provenance.get("finished")
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError as error:
        raise BadResult(
            f"{name or result.folder}: provenance.finished is {said!r}, "
            "no ISO 8601 time"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def newest(tallies: Iterable[CountedResult]) -> tuple[list[CountedResult], list[str]]:
    """Keep the newest of the results that a table could not tell apart.

    Returns:
        What is kept, and a line for each older result that was done.
    """
    same: dict[tuple[Row, Column, int], list[CountedResult]] = defaultdict(list)
    for tally in sorted(tallies, key=lambda tally: tally.finished):
        same[tally.row, tally.column, tally.seed].append(tally)
    lines = [
        f"{row}, {column}, seed {seed}: the newest of {len(found)} results is shown; "
        f"they differ in {', '.join(_differing(found)) or 'nothing that is recorded'}"
        for (row, column, seed), rivals in same.items()
        if len(found := _measured(rivals)) > 1
    ]
    return [rivals[-1] for rivals in same.values()], lines


def _measured(rivals: Sequence[CountedResult]) -> list[CountedResult]:
    """Leave out what failed before, since nothing is hidden by what came later."""
    return [tally for tally in rivals[:-1] if tally.counts] + [rivals[-1]]


def _differing(tallies: Sequence[CountedResult]) -> list[str]:
    keys = dict.fromkeys(key for tally in tallies for key in tally.facts)
    return [
        key
        for key in keys
        if key != "finished" and len({tally.facts.get(key) for tally in tallies}) > 1
    ]


def comparable(tallies: Iterable[CountedResult]) -> dict[int, Counts]:
    """Keep the seeds that were tested on what the newest of them was tested on.

    Args:
        tallies: Of one row and column, one for each seed.

    Returns:
        The answers by seed, in the order given; empty if none is done.
    """
    done = [(one.finished, one.seed, one.counts) for one in tallies if one.counts]
    if not done:
        return {}
    tested = max(done, key=lambda one: one[0])[2].tested
    return {seed: counts for _, seed, counts in done if counts.tested == tested}
