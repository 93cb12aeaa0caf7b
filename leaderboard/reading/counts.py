"""The confusion matrices and settings of each result, which a leaderboard needs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import answers_by, bootstrap, lacks_a_class
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import (
    Result,
    Status,
    read_result,
    result_folders,
)
from nserbench.benchmark.results.suspect_flags import MEANINGS, kind_of
from nserbench.benchmark.study.overlap import Overlap
from nserbench.errors import BadResult


@dataclass(frozen=True, slots=True)
class Counts:
    """The predictions of a finished cell, as confusion matrices.

    Attributes:
        utterances: Number of test utterances.
        tested: Hash of the test utterances, their labels, units of independence and
            folds. Two cells can be compared if it is equal.
        answers: ``(units, folds, classes, classes)``, confusion matrices.
        classes: Names of the classes, in the order of the matrices.
        drawn: The score in each bootstrap draw of units, ``(draws,)``, by metric. Empty
            before `resampled`, and with one unit.
    """

    utterances: int
    tested: int
    answers: NDArray[np.int64]
    classes: tuple[str, ...] = ()
    drawn: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, predictions: Predictions) -> Counts:
        """Count the predictions, which are not kept."""
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
            classes=tuple(predictions.classes),
            answers=answers_by(predictions)[1],
        )

    @property
    def folds(self) -> NDArray[np.int64]:
        """The confusion matrix of each fold, ``(folds, classes, classes)``."""
        return np.asarray(self.answers.sum(axis=0))

    @property
    def pooled(self) -> bool:
        """Whether a fold lacks a class; all folds are then scored together."""
        return lacks_a_class(self.answers)

    def resampled(self) -> Counts:
        """Return the counts with bootstrap draws; unchanged with one unit."""
        if self.drawn or len(self.answers) < 2:
            return self
        return dataclasses.replace(self, drawn=bootstrap(self.answers))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: an upstream and a head, as typed."""

    upstream: str
    downstream: str

    def __str__(self) -> str:
        return f"{self.upstream} x {self.downstream}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a corpus, a condition and a protocol.

    Attributes:
        corpus: Name of the corpus, with its options.
        condition: ``clean``, or a noise at an SNR in dB such as ``park@0``.
        protocol: Name and version. Each protocol has columns of its own.
    """

    corpus: str
    condition: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.corpus} {self.condition}"


RowColumn: TypeAlias = tuple[Row, Column]


@dataclass(frozen=True, slots=True)
class CountedResult:
    """One result: its row, column and seed, with its confusion matrices.

    Attributes:
        row: Row of the table.
        column: Column of the table.
        seed: Random seed of the cell.
        protocol_settings: The settings of the protocol as text; empty if the result
            has none.
        status: ``done``, ``not applicable`` or ``failed``.
        reason: Why the cell is not done; None if it is.
        finished: Time at which the cell was finished.
        facts: Protocol and provenance by key, to tell two results apart.
        counts: The confusion matrices; None unless the cell is done.
        overlap: Which speakers and texts training and test set share, as text; empty
            if the result does not say.
        flags: What makes the head suspect; keys of `results.flags.MEANINGS`.
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


def folders_of(root: Path) -> list[Path]:
    """Return the result folders in a folder, sorted by name.

    Raises:
        BadResult: if there are none.
    """
    folders = result_folders(root)
    if not folders:
        problem = "holds no results" if root.is_dir() else "is not a folder"
        raise BadResult(
            f"{root} {problem}\n"
            "  name another folder, or make results, for example with\n"
            "    nserbench run --upstream mel --downstream mean --corpus demo "
            f"--out {root}"
        )
    return folders


def row_and_column(result: Result) -> RowColumn:
    """Return the row and the column of a result."""
    version = result.protocol_details.get("version")
    protocol = f"{result.protocol} v{version}" if version else result.protocol
    column = Column(result.corpus, result.condition, protocol)
    return Row(result.upstream, result.downstream), column


def read_counted_result(folder: Path) -> CountedResult:
    """Read the result in one folder, without its stored metrics.

    Raises:
        BadResult: if the result cannot be read.
    """
    return count_result(read_result(folder), str(folder))


def count_result(result: Result, name: str = "") -> CountedResult:
    """Count the predictions of a result.

    Args:
        result: The result.
        name: Its name in messages; the name of its folder by default.

    Raises:
        BadResult: if its condition, finishing time, flags or overlap are malformed.
    """
    details, predictions = result.protocol_details, result.predictions
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
        counts=None if predictions is None else Counts.of(predictions),
        overlap=_overlap(result, name or result.folder),
        flags=_flags(result, name or result.folder),
    )


def _flags(result: Result, name: str) -> tuple[str, ...]:
    """Return which kinds of flags a result has, in the order of `MEANINGS`."""
    try:
        flags = cast("Mapping[str, list[str]]", result.notes.get("flags", {}))
        kinds = {kind_of(line) for lines in flags.values() for line in lines}
    except (AttributeError, TypeError, ValueError) as error:
        raise BadResult(f"{name}: notes.flags: {error}") from error
    return tuple(kind for kind in MEANINGS if kind in kinds)


def _overlap(result: Result, name: str) -> str:
    """Say which speakers and texts the training and test sets of a result share."""
    if (overlap := result.notes.get("overlap")) is None:
        return ""
    try:
        return str(Overlap.read(overlap))
    except ValueError as error:
        raise BadResult(f"{name}: notes.overlap: {error}") from error


def _settings_text(details: Mapping[str, object]) -> Iterator[str]:
    """Write the recipe and the other settings of a protocol, without its folds."""
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
            yield from ((f"{key}.{inner}", str(text)) for inner, text in value.items())
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
    """Return a sort key: clean first, then noises by name, each from high to low SNR.

    Raises:
        ValueError: if the condition is neither ``clean`` nor ``NOISE@SNR``.

    Examples:
        >>> sorted(["park@0", "clean", "park@5", "human@-5"], key=condition_order)
        ['clean', 'human@-5', 'park@5', 'park@0']
    """
    if condition == "clean":
        return 0, "", 0.0
    noise, _, snr = condition.rpartition("@")
    return 1, noise, -float(snr)


def finished_at(result: Result, name: str = "") -> datetime:
    """Return the time at which a result was finished, with its time zone.

    A time without an offset is taken as UTC.

    Args:
        result: The result.
        name: Its name in messages; the name of its folder by default.

    Raises:
        BadResult: if ``provenance.finished`` is not an ISO 8601 time.
    """
    text = result.provenance.get("finished")
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise BadResult(
            f"{name or result.folder}: provenance.finished is {text!r}, "
            "not an ISO 8601 time"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def newest(results: Iterable[CountedResult]) -> tuple[list[CountedResult], list[str]]:
    """Keep the newest result of each row, column and seed.

    Returns:
        The results that are kept, and a note where other finished results exist.
    """
    same: dict[tuple[Row, Column, int], list[CountedResult]] = defaultdict(list)
    for result in sorted(results, key=lambda result: result.finished):
        same[result.row, result.column, result.seed].append(result)
    notes = [
        f"{row}, {column}, seed {seed}: the newest of {len(done)} results is shown; "
        f"they differ in {', '.join(_differing(done)) or 'nothing that is recorded'}"
        for (row, column, seed), versions in same.items()
        if len(done := _without_old_failures(versions)) > 1
    ]
    return [versions[-1] for versions in same.values()], notes


def _without_old_failures(versions: Sequence[CountedResult]) -> list[CountedResult]:
    """Drop the failures before the newest result, which hides no number of theirs."""
    return [result for result in versions[:-1] if result.counts] + [versions[-1]]


def _differing(results: Sequence[CountedResult]) -> list[str]:
    keys = dict.fromkeys(key for result in results for key in result.facts)
    return [
        key
        for key in keys
        if key != "finished" and len({result.facts.get(key) for result in results}) > 1
    ]


def comparable(results: Iterable[CountedResult]) -> dict[int, Counts]:
    """Keep the seeds that were tested on the same utterances as the newest result.

    Args:
        results: Results of one row and column, one for each seed.

    Returns:
        The counts by seed, in the order of the results; empty if none is done.
    """
    done = [(item.finished, item.seed, item.counts) for item in results if item.counts]
    if not done:
        return {}
    tested = max(done, key=itemgetter(0))[2].tested
    return {seed: counts for _, seed, counts in done if counts.tested == tested}
