"""The time left of a run, with a clock that the test moves."""

from collections.abc import Callable, Sequence
from itertools import groupby

import pytest

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.time_left import TimeLeft, TimeLeftOfWorkers
from nserbench.benchmark.study.study import Study
from nserbench.progress import Silent


class Clock:
    """A clock that shows what it was set to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def conditions(ask: Callable[..., Study], runner: Runner) -> list[Sequence[Job]]:
    """Return the jobs of two heads in three conditions."""
    study = ask(downstreams=["mean,bigru"], noises=["clean", "hiss"], snrs=[0, 5])
    jobs = prepare(study, runner.store, Silent())
    return [list(group) for _, group in groupby(jobs, lambda j: str(j.cell.condition))]


def test_extraction_counts_for_conditions_to_come_and_not_for_cells(
    conditions: list[Sequence[Job]],
) -> None:
    clock = Clock()
    left = TimeLeft([*conditions], clock)
    assert [len(jobs) for jobs in conditions] == [2, 2, 2]

    left.begin_condition()
    clock.now += 100
    left.end_shared()
    clock.now += 1
    after_mean = left.end_cell(done=True)
    clock.now += 50
    after_bigru = left.end_cell(done=True)

    # Two conditions to come; a bigru is not known yet, and counts as the cell before.
    assert after_mean == 2 * 100 + 5 * 1
    assert after_bigru == 2 * (100 + 1 + 50)


def test_the_last_cell_leaves_nothing(conditions: list[Sequence[Job]]) -> None:
    clock = Clock()
    left = TimeLeft(conditions[:1], clock)

    left.begin_condition()
    left.end_shared()
    clock.now += 1

    assert left.end_cell(done=True) == 1
    assert left.end_cell(done=True) == 0


def test_cells_that_fail_tell_nothing(conditions: list[Sequence[Job]]) -> None:
    left = TimeLeft([*conditions], Clock())

    left.begin_condition()
    left.end_shared()

    assert left.end_cell(done=False) is None


def test_workers_know_the_time_left_once_all_features_are_there() -> None:
    clock = Clock()
    left = TimeLeftOfWorkers(cells=4, tasks=1, clock=clock)

    clock.now = 5.0
    early = left.end_cell()
    clock.now = 100.0
    left.end_task()
    clock.now = 110.0
    later = left.end_cell()

    assert (early, later) == (None, 2 * 10.0)
