"""Check a board: a folder of bundles that others have sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.bundle import Bundle, read_bundle
from nserbench.leaderboard.sharing.manifest import MANIFEST
from nserbench.leaderboard.sharing.result_set import (
    ResultSet,
    conflict_lines,
    problem_text,
)
from nserbench.paths import not_there


@dataclass(frozen=True, slots=True)
class BoardReport:
    """A board without problems."""

    bundles: Sequence[Bundle]

    @property
    def results(self) -> int:
        """Number of results in all bundles."""
        return sum(len(bundle.submissions) for bundle in self.bundles)


def bundles_of(board: Path) -> list[Path]:
    """Return the bundles of a board, sorted by name; of one bundle itself.

    Raises:
        BadResult: if there are none.
    """
    if (board / MANIFEST).is_file():
        return [board.resolve()]  # "." has no name
    found = board.iterdir() if board.is_dir() else ()
    bundles = sorted(path for path in found if not path.name.startswith("."))
    if not bundles:
        problem = "holds no bundles" if board.is_dir() else not_there(board, "folder")
        raise BadResult(
            f"{board} {problem}\n  name the folder that holds the bundles; `nserbench "
            "submit` writes one"
        )
    return bundles


def check_board(board: Path, plugins: Plugins) -> BoardReport:
    """Check every bundle of a board, and that their results can be compared.

    Args:
        board: The folder that holds the bundles, or one bundle.

    Raises:
        NserbenchError: if a bundle is not sound, or two results cannot be compared. The
            message lists all problems.
        BadResult: if there are no bundles.
    """
    bundles = [read_bundle(folder, plugins) for folder in bundles_of(board)]
    problems = [
        plain(f"{bundle.folder.name}: {problem}")
        for bundle in bundles
        for problem in bundle.problems
    ]
    known, conflicts = ResultSet(board), []
    for bundle in bundles:
        # Conflicts within a bundle are among its own problems.
        found = [known.conflicts(one) for one in bundle.submissions]
        conflicts += [conflict for several in found for conflict in several]
        for submission in bundle.submissions:
            known.add(submission)
    problems += conflict_lines(conflicts)
    if problems:
        raise NserbenchError(
            problem_text(
                f"{board} has problems:",
                problems,
                "repair or remove the bundles that are named",
            )
        )
    return BoardReport(bundles)
