"""The confusion matrices and settings of each result, which a leaderboard needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.counted import PredictionsOrCounts, UnitCounts
from nserbench.benchmark.results.metrics import bootstrap, lacks_a_class
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_result, result_folders
from nserbench.benchmark.results.result import Result, Status
from nserbench.benchmark.results.suspect_flags import MEANINGS, kind_of
from nserbench.benchmark.study.overlap import Overlap
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.contamination import Seen, seen_in_training
from nserbench.leaderboard.reading.fold_sizes import fold_flaws, without_fold_names
from nserbench.paths import not_there
from nserbench.plain_data import number


@dataclass(frozen=True, slots=True)
class Counts:
    """The predictions of a finished cell, as confusion matrices.

    Attributes:
        tested: Hash of the test utterances, their labels, units of independence and
            folds. Two cells can be compared if it is equal.
        answers: ``(units, folds, classes, classes)``, confusion matrices. If ``tested``
            is equal, each unit and fold has the same place in both.
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
    def of(cls, predictions: PredictionsOrCounts) -> Counts:
        """Count the predictions, which are not kept."""
        counts = UnitCounts.of(predictions)
        return cls(
            utterances=int(counts.answers.sum()),
            tested=int(counts.tested[:16], 16),
            classes=counts.classes,
            answers=counts.answers,
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
    """A column: a corpus, a condition such as ``park@0``, and a protocol's version."""

    corpus: str
    condition: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.corpus} {self.condition}"


RowColumn: TypeAlias = tuple[Row, Column]


@dataclass(frozen=True, slots=True)
class ProtocolSettings:
    """The settings of a protocol, without its folds: names and values as text.

    Attributes:
        others: All other settings; both are empty if the result has none.
    """

    recipe: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, details: Mapping[str, object]) -> ProtocolSettings:
        """Take the settings from `Result.protocol_details`."""
        recipe = details.get("recipe")
        return cls(
            recipe=_texts(recipe) if isinstance(recipe, Mapping) else (),
            others=_texts(details),
        )

    @property
    def by_name(self) -> dict[str, str]:
        """The values by the names of the settings."""
        return dict([*self.recipe, *self.others])

    def __str__(self) -> str:
        recipe = ", ".join(map(" ".join, self.recipe))
        return "; ".join(filter(None, [recipe, *map(" ".join, self.others)]))


def _texts(settings: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Write the values that are single texts, truth values or numbers."""
    return tuple(
        (key, ("no", "yes")[value] if isinstance(value, bool) else str(value))
        for key, value in settings.items()
        if isinstance(value, str | int | float) and key not in _TITLE
    )


_TITLE = ("name", "version", "digest")


@dataclass(frozen=True, slots=True)
class CountedResult:
    """One result: its row, column and seed, with its confusion matrices.

    Attributes:
        reason: Why the cell is not done; None if it is.
        facts: Protocol and provenance by key, to tell two results apart.
        counts: The confusion matrices; None unless the cell is done.
        overlap: Which speakers and texts training and test set share, as text; empty
            if the result does not say.
        flags: What makes the head suspect; keys of `results.flags.MEANINGS`.
        seen: Whether the upstream was trained on the corpus.
        remark: What has to be known of the numbers of the upstream; empty if nothing.
        cut: How many clips the upstream cut, and to which length, as text; empty if it
            cut none.
    """

    row: Row
    column: Column
    seed: int
    settings: ProtocolSettings
    status: Status
    reason: str | None
    finished: datetime
    facts: Mapping[str, str]
    counts: Counts | None
    overlap: str = ""
    flags: tuple[str, ...] = ()
    cut: str = ""
    seen: Seen = "not said"
    remark: str = ""


def folders_of(root: Path) -> list[Path]:
    """Return the result folders in a folder, sorted by name.

    Raises:
        BadResult: if there are none.
    """
    folders = result_folders(root)
    if not folders:
        problem = "holds no results" if root.is_dir() else not_there(root, "folder")
        within = _folders_within(root)
        if within:
            raise BadResult(
                f"{root} {problem}\n  name a folder in it: {', '.join(within)}"
            )
        raise BadResult(
            f"{root} {problem}\n"
            "  name another folder, or make results, for example with\n"
            "    nserbench run --upstream mel --downstream mean --corpus demo "
            f"--out {root}"
        )
    return folders


def _folders_within(root: Path) -> list[str]:
    """Return the folders in a folder that hold results."""
    inner = sorted(root.iterdir()) if root.is_dir() else []
    return [str(one) for one in inner if one.is_dir() and result_folders(one)]


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
    """Count the predictions of a result; messages name it, or else its folder.

    Raises:
        BadResult: if its condition, finishing time, flags, overlap or training data are
            malformed, or if its predictions contradict themselves or the protocol; see
            `flaws_of`.
    """
    details, answers = result.protocol_details, result.answers
    _check_condition(result.condition, name or result.folder)
    if answers and (flaws := [*flaws_of(answers, details)]):
        raise BadResult(f"{name or result.folder}: {'; '.join(flaws)}")
    row, column = row_and_column(result)
    facts = {"protocol": without_fold_names(details), **result.provenance}
    return CountedResult(
        row=row,
        column=column,
        seed=result.seed,
        settings=ProtocolSettings.of(details),
        status=result.status,
        reason=result.reason,
        finished=finished_at(result, name),
        facts=dict(_facts(facts)),
        counts=None if answers is None else Counts.of(answers),
        overlap=_overlap(result, name or result.folder),
        flags=_flags(result, name or result.folder),
        cut=_cut(result, name or result.folder),
        seen=seen_in_training(result, name or result.folder),
        remark=str(result.notes.get("upstream_remark", "")),
    )


def flaws_of(
    predictions: PredictionsOrCounts, protocol: Mapping[str, object]
) -> Iterator[str]:
    """Say where predictions contradict their probabilities or the size of folds."""
    if isinstance(predictions, Predictions):
        yield from _contradicted(predictions)
    yield from fold_flaws(predictions, protocol)


def _contradicted(predictions: Predictions) -> Iterator[str]:
    rows = np.arange(len(predictions.predicted))
    chosen = predictions.probabilities[rows, predictions.predicted]
    wrong = np.flatnonzero(chosen < predictions.probabilities.max(axis=1)).tolist()
    if wrong:
        yield (
            f"the predicted class is not the most probable one in {len(wrong)} "
            f"utterances, for example {predictions.utterances[wrong[0]]!r}"
        )


def _flags(result: Result, name: str) -> tuple[str, ...]:
    """Return which kinds of flags a result has, in the order of `MEANINGS`."""
    try:
        flags = cast("Mapping[str, list[str]]", result.notes.get("flags", {}))
        kinds = {kind_of(line) for lines in flags.values() for line in lines}
    except (AttributeError, TypeError, ValueError) as error:
        raise BadResult(f"{name}: notes.flags: {error}") from error
    return tuple(kind for kind in MEANINGS if kind in kinds)


def _cut(result: Result, name: str) -> str:
    """Say how many clips an upstream cut, and to which length; empty for none."""
    cut, longest = result.notes.get("cut", []), result.notes.get("cut_to")
    if not isinstance(cut, list) or not isinstance(longest, float | int | None):
        raise BadResult(f"{name}: notes.cut must be a list, notes.cut_to a number")
    if not cut:
        return ""
    length = "" if longest is None else f" to {longest:g} s"
    return f"{len(cut)} {'clip' if len(cut) == 1 else 'clips'} cut{length}"


def _overlap(result: Result, name: str) -> str:
    """Say which speakers and texts the training and test sets of a result share."""
    if (overlap := result.notes.get("overlap")) is None:
        return ""
    try:
        return str(Overlap.read(overlap))
    except ValueError as error:
        raise BadResult(f"{name}: notes.overlap: {error}") from error


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
    return 1, noise, -number(snr)


def finished_at(result: Result, name: str = "") -> datetime:
    """Return the time at which a result was finished, with its time zone.

    A time without an offset is taken as UTC. Messages name the result, or else its
    folder.

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
