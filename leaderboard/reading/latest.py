"""Which of many results stand behind a table."""

from __future__ import annotations

from collections.abc import Sequence

from nserbench.benchmark.results.result import Result
from nserbench.leaderboard.reading.counts import (
    CountedResult,
    RowColumn,
    comparable,
    count_result,
    newest,
)


def latest_results(results: Sequence[Result]) -> dict[RowColumn, list[Result]]:
    """Return the results that stand behind each place of a table, by seed.

    Places stand in the order in which their results are given. Results are chosen as
    the table chooses them; see `newest` and `comparable`.

    Raises:
        BadResult: if the condition of one cannot be read, or when it was finished.
    """
    tallies = [count_result(one) for one in results]
    # A tally holds no result, and two results may have equal tallies.
    behind = {id(tally): one for tally, one in zip(tallies, results, strict=True)}
    kept, _ = newest(tallies)
    places: dict[RowColumn, list[CountedResult]] = {
        (one.row, one.column): [] for one in tallies
    }
    for tally in sorted(kept, key=lambda one: one.seed):
        places[tally.row, tally.column].append(tally)
    seeds = {where: comparable(each) for where, each in places.items()}
    return {
        where: [behind[id(one)] for one in each if one.seed in seeds[where]]
        for where, each in places.items()
        if seeds[where]
    }
