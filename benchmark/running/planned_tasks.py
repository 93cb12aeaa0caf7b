"""A planned study as tasks of workers, in the order of `workers.WorkerPool`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.running.makespan import TimedTask
from nserbench.benchmark.running.shares import extractions_of, has_own_folds
from nserbench.benchmark.running.trainings import Training


@dataclass(frozen=True, slots=True)
class PricedPass:
    """A pass, the name of its extraction, and its estimated seconds."""

    name: str
    one: Pass
    seconds: float

    @property
    def tuned(self) -> bool:
        """Whether the upstream is fine-tuned, and so extracts where it was trained."""
        return self.one.extraction.upstream.tuned is not None


@dataclass(frozen=True, slots=True)
class PricedShare:
    """Jobs that one worker runs together, with their estimated seconds.

    Attributes:
        tuning: Seconds of fine-tuning.
        trainings: Each training with its seconds.
    """

    jobs: Sequence[Job]
    tuning: float
    trainings: Sequence[tuple[Training, float]]

    @property
    def training(self) -> float:
        """Seconds of all trainings."""
        return sum(seconds for _, seconds in self.trainings)


def tasks_of(
    passes: Sequence[PricedPass],
    shares: Sequence[PricedShare],
    needs: Needs,
    workers: int,
) -> list[TimedTask]:
    """Return the tasks of some workers; see `workers.WorkerPool`.

    Args:
        passes: All passes.
        shares: What one worker runs together.
        needs: What all jobs read.
        workers: Number of workers.
    """
    shared = [one for one in passes if not one.tuned]
    blocks = -(-workers // max(1, len(shared)))
    tasks = [
        TimedTask(one.name, one.seconds / blocks, _transcripts(one, needs))
        for one in shared
        for _ in range(blocks)
    ]
    alone = [(n, *one) for n, share in enumerate(shares) for one in _folds(share)]
    if len(shares) >= workers:
        alone = []
    tasks += [
        TimedTask(("folds", number), seconds, _read_by([training.job], needs))
        for number, training, seconds in alone
    ]
    own = {one.name: one.seconds for one in passes if one.tuned}
    for number, share in enumerate(shares):
        read = _read_by(share.jobs, needs)
        elsewhere = sum(seconds for n, _, seconds in alone if n == number)
        extracted = sum(own.pop(name) for name in read & own.keys())
        seconds = share.tuning + share.training - elsewhere + extracted
        tasks.append(TimedTask(("share", number), seconds, {*read, ("folds", number)}))
    return tasks


def _folds(share: PricedShare) -> list[tuple[Training, float]]:
    """Return the trainings that a worker can take for themselves."""
    return [
        (training, seconds)
        for training, seconds in share.trainings
        if not training.together and has_own_folds(training.job)
    ]


def _transcripts(one: PricedPass, needs: Needs) -> list[str]:
    source = one.one.extraction.transcripts
    return [] if source is None else [needs.name_of(source)]


def _read_by(jobs: Sequence[Job], needs: Needs) -> set[str]:
    """Return the names of all extractions that jobs read."""
    return {needs.name_of(each) for job in jobs for each in extractions_of(job)}
