"""Which results a table shows, where several have the same row, column and seed."""

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
    """Return the results that a table shows for each row and column, by seed.

    The keys are in the order in which their results are given. Results are chosen as in
    the table: see `newest` and `comparable`.

    Raises:
        BadResult: if the condition or the finishing time of one is malformed.
    """
    counted = [count_result(result) for result in results]
    # Two results may have equal counts, so they are found again by identity.
    by_id = {id(item): result for item, result in zip(counted, results, strict=True)}
    kept, _ = newest(counted)
    cells: dict[RowColumn, list[CountedResult]] = {
        (item.row, item.column): [] for item in counted
    }
    for item in sorted(kept, key=lambda item: item.seed):
        cells[item.row, item.column].append(item)
    seeds = {key: comparable(items) for key, items in cells.items()}
    return {
        key: [by_id[id(item)] for item in items if item.seed in seeds[key]]
        for key, items in cells.items()
        if seeds[key]
    }
