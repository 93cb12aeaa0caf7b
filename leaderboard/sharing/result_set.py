"""Results that can all be compared with each other, and what keeps others apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.counted import PredictionsOrCounts, UnitCounts
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_result
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.submission import CELL, Subject, Submission

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


def _differ(first: Submission, second: Submission) -> bool:
    """Return whether two results of a cell differ in a prediction or probability.

    Where one has counts, the counts of both are compared.
    """
    ours, theirs = _predictions(first), _predictions(second)
    if isinstance(ours, UnitCounts) or isinstance(theirs, UnitCounts):
        counts = UnitCounts.of(ours).answers, UnitCounts.of(theirs).answers
        return not np.array_equal(*counts)
    others = _answers(theirs)
    return any(
        predicted != others[name][0]
        or bool(np.abs(probabilities - others[name][1]).max() > CLOSE)
        for name, (predicted, probabilities) in _answers(ours).items()
    )


def _predictions(result: Submission) -> PredictionsOrCounts:
    answers = read_result(result.folder).answers
    assert answers is not None  # noqa: S101 - only finished cells are compared
    return answers


def _answers(predictions: Predictions) -> dict[str, Answers]:
    answers = zip(
        predictions.predicted.tolist(), predictions.probabilities, strict=True
    )
    return dict(zip(predictions.utterances, answers, strict=True))


def conflict_lines(conflicts: Sequence[Conflict]) -> list[str]:
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


def problem_text(first: str, problems: Sequence[str], advice: str) -> str:
    """Return a message that lists problems, at most `SHOWN` of them."""
    more = len(problems) - SHOWN
    lines = [first, *problems[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return "\n  ".join([*lines, advice])
