from collections.abc import Callable, Iterable

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.running.job_batches import (
    JobBatch,
    in_order_of_frames,
    job_batches,
)
from nserbench.benchmark.store.feature_store import Store

Make = Callable[..., list[Job]]
SAID = {"noises": ["hiss"], "snrs": [5.0, 0.0]}


def ordered(jobs: list[Job], store: Store) -> list[JobBatch]:
    needs = Needs(jobs, store)
    made = [JobBatch.of(batch, needs, store) for batch in job_batches(jobs)]
    return in_order_of_frames(made)


def names(batches: Iterable[JobBatch]) -> list[str]:
    cells = (batch.jobs[0].cell for batch in batches)
    return [f"{cell.downstream.label} {cell.condition}" for cell in cells]


def test_blocks_that_read_the_same_frames_run_condition_by_condition(
    prepared: Make, store: Store
) -> None:
    jobs = [*prepared(downstreams=["bigru"], **SAID), *prepared(**SAID)]

    assert names(ordered(jobs, store)) == [
        "bigru hiss@5",
        "mean hiss@5",
        "bigru hiss@0",
        "mean hiss@0",
    ]


def test_without_frames_the_order_stays(prepared: Make, store: Store) -> None:
    jobs = [*prepared(**SAID), *prepared(downstreams=["last"], **SAID)]

    assert names(ordered(jobs, store)) == [
        "mean hiss@5",
        "mean hiss@0",
        "last hiss@5",
        "last hiss@0",
    ]


def test_frames_are_those_of_training_and_test(prepared: Make, store: Store) -> None:
    jobs = prepared(downstreams=["bigru"], protocol="clean-train", **SAID)
    first, second = ordered(jobs, store)

    assert len(first.frames) == len(second.frames) == 2
    assert len(first.frames & second.frames) == 1
