"""Merge the results of several folders into one, if they can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from nserbench.benchmark.results.read_results import read_result, result_folders
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.result_set import (
    Conflict,
    ResultSet,
    conflict_lines,
    problem_text,
)
from nserbench.leaderboard.sharing.submission import Submission, read_submission

APART = "apart-"
"""Prefix of the folders for results that cannot be compared with the first folder."""


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
        problems += conflict_lines(existing)
    conflicts = [
        conflict
        for folder in folders
        for result in _readable(_with_results(folder), problems)
        for conflict in _assign(result, sets, separate)
    ]
    apart = conflict_lines(conflicts)
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


def _refusal(problems: Sequence[str], *, separable: bool) -> str:
    advice = "repair the results above, or merge without them"
    if separable:
        advice = "--separate writes what cannot be compared to folders of its own"
    return problem_text("nothing was merged", problems, advice)
