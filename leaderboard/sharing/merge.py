"""Merge the results of several folders into one, if they can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.read_results import read_result, result_folders
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.submission import (
    CELL,
    Subject,
    Submission,
    read_submission,
)

APART = "apart-"
"""Prefix of the folders for results that cannot be compared with the first folder."""
CLOSE = 1e-5
"""Largest difference of probabilities between two runs of the same cell."""
SHOWN = 30
"""Number of problems listed in one message."""
LONG = 40
"""Number of characters of a fact that are shown."""

Answers: TypeAlias = tuple[int, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two results that cannot be compared, and what differs; the older is first."""

    subject: Subject
    first: Submission
    second: Submission


@dataclass(slots=True)
class ResultSet:
    """Results that can all be compared with each other.

    Attributes:
        known: The first result with a fact about each subject.
    """

    root: Path
    results: dict[str, Submission] = field(default_factory=dict)
    known: dict[Subject, Submission] = field(default_factory=dict)

    def conflicts(self, new: Submission) -> list[Conflict]:
        """Return the conflicts between a new result and the results of the set."""
        conflicts = [
            Conflict(subject, self.known[subject], new)
            for subject, fact in new.facts.items()
            if subject in self.known and self.known[subject].facts[subject] != fact
        ]
        same = self.results.get(new.name)
        if not conflicts and same and same.done and new.done and _differ(same, new):
            return [Conflict(("answers", new.cell), same, new)]
        # The cell's digest is reported only if no other conflict explains it.
        return [item for item in conflicts if item.subject[0] != CELL] or conflicts

    def add(self, new: Submission) -> None:
        """Add a result; a finished one replaces an unfinished one of the same cell."""
        same = self.results.get(new.name)
        if same is None or (new.done and not same.done):
            self.results[new.name] = new
        for subject in new.facts:
            self.known.setdefault(subject, new)

    def missing(self) -> list[Submission]:
        """Return the results to be written, without failures of finished cells."""
        results = self.results.values()
        done = {result.cell for result in results if result.done}
        return [
            result
            for result in results
            if result.folder.parent != self.root
            and (result.done or result.cell not in done)
        ]


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge has written.

    Attributes:
        written: Number of results written to each folder; the merged one comes first.
        recomputed: Results whose stored metrics did not match their predictions.
    """

    written: Mapping[Path, int]
    apart: Sequence[str]
    recomputed: Sequence[str]


def merge(folders: Sequence[Path], out: Path, *, separate: bool = False) -> MergeReport:
    """Copy the results of several folders into one, if all of them can be compared.

    Everything is checked before anything is written. Results that the merged folder
    already holds are checked as well, and never changed, so that a second call with the
    same arguments changes nothing.

    Args:
        out: The merged folder; created if it does not exist.
        separate: Whether results that cannot be compared with earlier ones are written
            to folders of their own: ``apart-1`` and so on in ``out``.

    Raises:
        NserbenchError: if a folder holds no results, a result is damaged, or two
            results cannot be compared and ``separate`` is false. The message lists all
            problems.
    """
    problems: list[str] = []
    sets = [ResultSet(root) for root in (out, *sorted(out.glob(f"{APART}*")))]
    for result_set in sets:
        existing: list[Conflict] = []
        for result in _readable(result_set.root, problems):
            existing += result_set.conflicts(result)
            result_set.add(result)
        problems += _lines(existing)
    conflicts = [
        conflict
        for folder in folders
        for result in _readable(_with_results(folder), problems)
        for conflict in _assign(result, sets, separate)
    ]
    apart = _lines(conflicts)
    if not separate:
        problems += apart
    if problems:
        raise NserbenchError(_refusal(problems, separable=problems == apart))
    return _write(sets, apart)


def _with_results(folder: Path) -> Path:
    if not result_folders(folder):
        raise BadResult(
            f"{folder} holds no results\n"
            "  name the folder that contains the result folders of cells"
        )
    return folder


def _readable(root: Path, problems: list[str]) -> Iterator[Submission]:
    """Read a folder of results, and add those that cannot be used to the problems."""
    for folder in result_folders(root):
        try:
            yield read_submission(folder)
        except BadResult as error:
            problems.append(plain(str(error)))


def _assign(
    result: Submission, sets: list[ResultSet], separate: bool
) -> list[Conflict]:
    """Add a result to a set that it can be compared with.

    Returns:
        The conflicts with the first set.
    """
    conflicts = sets[0].conflicts(result)
    if not conflicts:
        sets[0].add(result)
    elif separate:
        without = [other for other in sets[1:] if not other.conflicts(result)]
        if not without:
            used = {result_set.root for result_set in sets}
            roots = (sets[0].root / f"{APART}{number}" for number in count(1))
            without = [ResultSet(next(root for root in roots if root not in used))]
            sets += without
        without[0].add(result)
    return conflicts


def _write(sets: Sequence[ResultSet], apart: Sequence[str]) -> MergeReport:
    written, recomputed = {}, []
    for result_set in sets:
        missing = result_set.missing()
        for result in missing:
            write_result(result_set.root, read_result(result.folder))
            if result.metrics:
                recomputed.append(plain(f"{result.folder}: {result.metrics}"))
        written[result_set.root] = len(missing)
    return MergeReport(written, apart, recomputed)


def _differ(first: Submission, second: Submission) -> bool:
    """Return whether two results of a cell differ in a prediction or probability."""
    others = _answers(second)
    return any(
        predicted != others[name][0]
        or bool(np.abs(probabilities - others[name][1]).max() > CLOSE)
        for name, (predicted, probabilities) in _answers(first).items()
    )


def _answers(result: Submission) -> dict[str, Answers]:
    predictions = read_result(result.folder).predictions
    assert predictions is not None  # noqa: S101 - only finished cells are compared
    answers = zip(
        predictions.predicted.tolist(), predictions.probabilities, strict=True
    )
    return dict(zip(predictions.utterances, answers, strict=True))


def _lines(conflicts: Sequence[Conflict]) -> list[str]:
    """Write each conflict once for each folder, with the number of its results."""

    def kind(conflict: Conflict) -> tuple[str, ...]:
        fact = conflict.second.facts.get(conflict.subject, "")
        return *conflict.subject, str(conflict.second.folder.parent), fact

    lines = []
    for _, same in groupby(sorted(conflicts, key=kind), key=kind):
        first, *others = same
        more = f", and {len(others)} more there" if others else ""
        lines.append(plain(_line(first) + more))
    return lines


def _line(conflict: Conflict) -> str:
    name, of = conflict.subject
    facts = []
    for result in (conflict.first, conflict.second):
        fact = result.facts.get(conflict.subject, "")
        short = fact if len(fact) <= LONG else f"{fact[:LONG]}..."
        facts.append(f"{short} in {result.folder}".lstrip())
    return f"{name} of {of} differ: {'; '.join(facts)}"


def _refusal(problems: Sequence[str], *, separable: bool) -> str:
    lines = ["nothing was merged", *problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    if separable:
        lines.append("--separate writes what cannot be compared to folders of its own")
    else:
        lines.append("repair the results above, or merge without them")
    return "\n  ".join(lines)
