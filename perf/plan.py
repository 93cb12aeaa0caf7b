"""The time that a plan estimates, against the time that the run takes.

Both are counted in CPU time, so that other load on the machine hardly matters. Each
ratio is that of the longer to the shorter: 1 for a plan that is right. It is the median
of several plans, since processors become faster and slower.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from _clips import study_of, write_clips
from _measure import at_most, medians

from nserbench.benchmark.jobs.prepare import PreparedStudy, prepare_study
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.running.cost import Planner
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.store.feature_store import Store
from nserbench.progress import Silent

CLIPS, LENGTHS = 120, (1.0, 5.0)  # seconds
BAR, ROUNDS = 1.3, 3


@dataclass(frozen=True, slots=True)
class Grid:
    """A study to be planned and run: some heads on mel.

    Attributes:
        name: Name of the figure.
        heads: Names on the command line.
    """

    name: str
    heads: Sequence[str]
    epochs: int


GRIDS = (
    Grid("plan-pooled", ("mean", "fc", "last"), 200),
    Grid("plan-frames", ("bigru",), 2),
)


def factor(grid: Grid, folder: Path, manifest: Path) -> float:
    """Plan a study and run it; return the longer of both times over the shorter.

    Args:
        grid: The study.
        folder: New folder for its store and results.
        manifest: Its corpus.
    """
    study = study_of("mel", grid.heads, manifest, grid.epochs)

    def prepared() -> tuple[Store, PreparedStudy]:
        store = Store(folder / "store")
        return store, prepare_study(study, store, Silent())

    store, planned = prepared()
    planner = Planner(store, folder / "results", Stopwatch("cpu"), Silent())
    (cost,) = planner.estimate([planned])
    store, asked = prepared()
    runner = Runner(
        store, folder / "results", Plugins(installed=False), "cpu", Silent()
    )
    began = time.process_time()
    runner.run_prepared([asked])
    spent = time.process_time() - began
    return max(cost.seconds / spent, spent / cost.seconds)


def report(folder: Path, clips: int, grids: Sequence[Grid], rounds: int) -> list[str]:
    """Measure every grid with one thread, and return the lines to print."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # then CPU time is the time that passes
    try:
        manifest = write_clips(folder / "clips", clips, LENGTHS)
        places = count()
        measures = [
            lambda grid=grid: factor(grid, folder / str(next(places)), manifest)
            for grid in grids
        ]
        ratios = medians(*measures, rounds=rounds)
        return [
            at_most(grid.name, ratio, BAR)
            for grid, ratio in zip(grids, ratios, strict=True)
        ]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(*report(Path(place), CLIPS, GRIDS, ROUNDS), sep="\n")
