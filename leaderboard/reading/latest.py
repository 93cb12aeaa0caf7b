"""Which results count, where several have the same row, column and seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from nserbench.benchmark.results.result import Result
from nserbench.leaderboard.reading.counts import (
    Column,
    CountedResult,
    Counts,
    Row,
    RowColumn,
    count_result,
    finished_at,
    row_and_column,
)
from nserbench.leaderboard.reading.unlike import leave_out_unlike


def newest(results: Iterable[CountedResult]) -> tuple[list[CountedResult], list[str]]:
    """Keep the newest result of each row, column and seed.

    Results that share a name with others but not what it stands for are left out; see
    `leave_out_unlike`.

    Returns:
        The results that are kept, and a note where other finished results exist.
    """
    alike, unlike = leave_out_unlike(list(results))
    same: dict[tuple[Row, Column, int], list[CountedResult]] = defaultdict(list)
    for result in sorted(alike, key=lambda result: result.finished):
        same[result.row, result.column, result.seed].append(result)
    notes = [
        f"{row}, {column}, seed {seed}: the newest of {len(done)} results is shown; "
        f"they differ in {', '.join(_differing(done)) or 'nothing that is recorded'}"
        for (row, column, seed), versions in same.items()
        if len(done := _without_old_failures(versions)) > 1
    ]
    return [versions[-1] for versions in same.values()], [*unlike, *notes]


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


def averaged(results: Sequence[CountedResult]) -> list[CountedResult]:
    """Return the results of a row and column that are averaged; see `comparable`."""
    kept = comparable(results)
    return [result for result in results if result.seed in kept]


def by_cell(
    results: Sequence[CountedResult],
) -> tuple[dict[RowColumn, list[CountedResult]], list[str]]:
    """Return the newest results of each row and column, by seed.

    The rows and columns are in the order in which their results are given.

    Returns:
        The results, and the notes of `newest`.
    """
    cells: dict[RowColumn, list[CountedResult]] = {
        (result.row, result.column): [] for result in results
    }
    kept, notes = newest(results)
    for result in sorted(kept, key=lambda result: result.seed):
        cells[result.row, result.column].append(result)
    return cells, notes


def shown_results(
    results: Iterable[Result], cells: Mapping[RowColumn, Sequence[CountedResult]]
) -> list[Result]:
    """Return the results that some cells hold; see `by_cell`.

    Which results are left out is known of all of a folder alone.
    """
    shown = {
        (*key, one.seed, one.finished) for key, ones in cells.items() for one in ones
    }
    return [
        result
        for result in results
        if (*row_and_column(result), result.seed, finished_at(result)) in shown
    ]


def latest_results(results: Sequence[Result]) -> dict[RowColumn, list[Result]]:
    """Return the results that a table averages for each row and column, by seed.

    Raises:
        BadResult: if the condition or the finishing time of one is malformed.
    """
    counted = [count_result(result) for result in results]
    # Two results may have equal counts, so they are found again by identity.
    by_id = {id(item): result for item, result in zip(counted, results, strict=True)}
    return {
        key: [by_id[id(item)] for item in kept]
        for key, items in by_cell(counted)[0].items()
        if (kept := averaged(items))
    }
