"""Results of several folders joined into one, where they compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.result import read_result, result_folders, write_result
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.submission import (
    CELL,
    Subject,
    Submission,
    read_submission,
)

APART = "apart-"
"""Begins the name of a folder of results that do not compare with the others."""
CLOSE = 1e-5
"""By how much probabilities of one cell may differ, as after an interruption."""
SHOWN = 30
"""Problems in one message."""
LONG = 40
"""Characters of a fact that are shown."""

Answers: TypeAlias = tuple[int, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two results that do not compare.

    Attributes:
        subject: What differs.
        first: The one that was there first.
        second: The other.
    """

    subject: Subject
    first: Submission
    second: Submission


@dataclass(slots=True)
class ResultSet:
    """Results that compare with each other.

    Attributes:
        root: Their folder.
        results: By the names of their folders.
        known: The first result that said something of each subject.
    """

    root: Path
    results: dict[str, Submission] = field(default_factory=dict)
    known: dict[Subject, Submission] = field(default_factory=dict)

    def clashes(self, one: Submission) -> list[Conflict]:
        """Say in what a result does not agree with those that are here."""
        found = [
            Conflict(subject, self.known[subject], one)
            for subject, fact in one.facts.items()
            if subject in self.known and self.known[subject].facts[subject] != fact
        ]
        same = self.results.get(one.name)
        if not found and same and same.done and one.done and _differ(same, one):
            return [Conflict(("answers", one.cell), same, one)]
        # The digest of the cell is worth a line only where nothing explains it.
        return [clash for clash in found if clash.subject[0] != CELL] or found

    def add(self, one: Submission) -> None:
        """Take a result in; one that is not done gives way to one that is."""
        same = self.results.get(one.name)
        if same is None or (one.done and not same.done):
            self.results[one.name] = one
        for subject in one.facts:
            self.known.setdefault(subject, one)

    def missing(self) -> list[Submission]:
        """Give what its folder lacks, without failures that others made good."""
        done = {one.cell for one in self.results.values() if one.done}
        return [
            one
            for one in self.results.values()
            if one.folder.parent != self.root and (one.done or one.cell not in done)
        ]


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What was done.

    Attributes:
        written: How many results each folder was given; the joined one comes first.
        apart: Why results went into folders of their own.
        recomputed: Whose stored metrics were not those of the predictions.
    """

    written: Mapping[Path, int]
    apart: Sequence[str]
    recomputed: Sequence[str]


def merge(folders: Sequence[Path], out: Path, *, separate: bool = False) -> MergeReport:
    """Copy the results of several folders into one, if all of them compare.

    Everything is checked before anything is written. What the joined folder holds
    already is compared as well and stays as it is, so that the same call again
    changes nothing.

    Args:
        folders: Of results.
        out: The joined one; made where need be.
        separate: Whether results that do not compare with those before them go into
            folders of their own, ``apart-1`` and so on in ``out``.

    Raises:
        NserbenchError: if a folder holds no results, one is damaged or contradicts
            itself, or two do not compare and are not to be separated. The message
            lists them all.
    """
    problems: list[str] = []
    shelves = [ResultSet(root) for root in (out, *sorted(out.glob(f"{APART}*")))]
    for shelf in shelves:
        standing: list[Conflict] = []
        for one in _readable(shelf.root, problems):
            standing += shelf.clashes(one)
            shelf.add(one)
        problems += _lines(standing)
    clashes = [
        clash
        for folder in folders
        for one in _readable(_with_results(folder), problems)
        for clash in _place(one, shelves, separate)
    ]
    apart = _lines(clashes)
    if not separate:
        problems += apart
    if problems:
        raise NserbenchError(_refusal(problems, separable=problems == apart))
    return _write(shelves, apart)


def _with_results(folder: Path) -> Path:
    if not result_folders(folder):
        raise BadResult(
            f"{folder} holds no results\n  name the folder that holds those of cells"
        )
    return folder


def _readable(root: Path, problems: list[str]) -> Iterator[Submission]:
    """Read a folder of results; add those that cannot be used to the problems."""
    for folder in result_folders(root):
        try:
            yield read_submission(folder)
        except BadResult as error:
            problems.append(plain(str(error)))


def _place(one: Submission, shelves: list[ResultSet], separate: bool) -> list[Conflict]:
    """Put a result where it compares; say what keeps it off the first shelf."""
    clashes = shelves[0].clashes(one)
    if not clashes:
        shelves[0].add(one)
    elif separate:
        fitting = [shelf for shelf in shelves[1:] if not shelf.clashes(one)]
        if not fitting:
            fitting = [_new_shelf(shelves)]
            shelves += fitting
        fitting[0].add(one)
    return clashes


def _new_shelf(shelves: Sequence[ResultSet]) -> ResultSet:
    taken = {shelf.root for shelf in shelves}
    roots = (shelves[0].root / f"{APART}{number}" for number in count(1))
    return ResultSet(next(root for root in roots if root not in taken))


def _write(shelves: Sequence[ResultSet], apart: Sequence[str]) -> MergeReport:
    written, recomputed = {}, []
    for shelf in shelves:
        missing = shelf.missing()
        for one in missing:
            write_result(shelf.root, read_result(one.folder))
            if one.metrics:
                recomputed.append(plain(f"{one.folder}: {one.metrics}"))
        written[shelf.root] = len(missing)
    return MergeReport(written, apart, recomputed)


def _differ(first: Submission, second: Submission) -> bool:
    """Tell whether two results of one cell answer otherwise on the same utterances."""
    ours, theirs = _answers(first), _answers(second)
    return any(
        predicted != theirs[name][0]
        or bool(np.abs(probabilities - theirs[name][1]).max() > CLOSE)
        for name, (predicted, probabilities) in ours.items()
    )


def _answers(one: Submission) -> dict[str, Answers]:
    found = read_result(one.folder).predictions
    assert found is not None  # noqa: S101 - only what is done is compared
    answers = zip(found.predicted.tolist(), found.probabilities, strict=True)
    return dict(zip(found.utterances, answers, strict=True))


def _lines(clashes: Sequence[Conflict]) -> list[str]:
    """Say each difference once for each folder, however many results it concerns."""

    def kind(clash: Conflict) -> tuple[str, ...]:
        told = clash.second.facts.get(clash.subject, "")
        return *clash.subject, str(clash.second.folder.parent), told

    lines = []
    for _, same in groupby(sorted(clashes, key=kind), key=kind):
        first, *others = same
        more = f", and {len(others)} more there" if others else ""
        lines.append(plain(_line(first) + more))
    return lines


def _line(clash: Conflict) -> str:
    what, of = clash.subject
    first, second = (_told(one, clash.subject) for one in (clash.first, clash.second))
    return f"{what} of {of} differ: {first}; {second}"


def _told(one: Submission, subject: Subject) -> str:
    fact = one.facts.get(subject, "")
    short = fact if len(fact) <= LONG else f"{fact[:LONG]}..."
    return f"{short} in {one.folder}".lstrip()


def _refusal(problems: Sequence[str], *, separable: bool) -> str:
    lines = ["nothing was merged", *problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    if separable:
        lines.append("to keep what does not compare in folders apart: --separate")
    else:
        lines.append("repair what is damaged, or leave it out")
    return "\n  ".join(lines)
