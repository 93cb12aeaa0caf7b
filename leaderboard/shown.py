"""Which of many results stand behind a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nserbench.benchmark.results import Result
from nserbench.leaderboard.cells import Counts, Place, place


def shown(results: Sequence[Result]) -> dict[Place, list[Result]]:
    """Give the results that stand behind each place of a table, one for each seed.

    The newest stands where several have one seed. Of the seeds, those stand that were
    tested on what the newest was tested on.
    """
    # Times are written in UTC, so that their text sorts as they do.
    in_time = sorted(results, key=lambda one: str(one.provenance.get("finished")))
    newest: dict[Place, dict[int, Result]] = {place(one): {} for one in results}
    for one in reversed(in_time):
        newest[place(one)].setdefault(one.seed, one)
    found = {where: _alike(seeds.values()) for where, seeds in newest.items()}
    return {where: seeds for where, seeds in found.items() if seeds}


def _alike(seeds: Iterable[Result]) -> list[Result]:
    """Keep those that are done and were tested on what the first of them was."""
    done = [one for one in seeds if one.predictions is not None]
    tested = [Counts.of(one.predictions).tested for one in done if one.predictions]
    return [one for one, on in zip(done, tested, strict=True) if on == tested[0]]
