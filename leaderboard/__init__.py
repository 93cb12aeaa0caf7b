"""From folders of results to tables, figures and the page; called, it makes a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from inspect import signature
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nserbench.leaderboard.frames import Leaderboard, Results


def leaderboard(
    results: Results | str | PathLike[str] | None = None,
    *,
    metric: str | Iterable[str] = "uar,f1",
    against: str | None = None,
    config: str | PathLike[str] | None = None,
) -> Leaderboard:
    """Return a table of results, by corpus and condition, as ``nserbench leaderboard``.

    A notebook shows the table with its notes; `Leaderboard.to_frame` has its numbers.

    Args:
        results: Results, or their folder; default: the folder of the settings.
        metric: ``uar``, ``f1`` (macro), ``f1_weighted``, ``accuracy``: in one text
            separated by commas, or in a list.
        against: A row to compare every row with, such as ``"mel x mean"``.
        config: Settings file; default: ``nserbench.toml`` in the working folder.

    Raises:
        BadResult: if there are no results, or one cannot be read.
        UnknownName: if a metric or row does not exist.
    """
    from nserbench.leaderboard.frames import Results, leaderboard_of, load_results

    if not isinstance(results, Results):
        results = load_results(results, config=config)
    return leaderboard_of(results, metric, against)


class _CallablePackage(ModuleType):
    """This package, whose name is also that of the function."""

    __call__ = staticmethod(leaderboard)
    __signature__ = signature(leaderboard)


sys.modules[__name__].__class__ = _CallablePackage
