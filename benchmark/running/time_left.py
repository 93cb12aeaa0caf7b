"""The time that the cells left will take, from those that have ended."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from nserbench.benchmark.jobs.job import Job


@dataclass(slots=True)
class _Times:
    """Seconds of what has ended, by kinds from the narrowest to the widest."""

    known: dict[Hashable, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, kinds: Iterable[Hashable], seconds: float) -> None:
        for kind in kinds:
            self.known[kind].append(seconds)

    def expected(self, kinds: Iterable[Hashable]) -> float | None:
        """Return the mean of the narrowest kind that is known; None if none is."""
        known = (self.known[kind] for kind in kinds if kind in self.known)
        return next(map(fmean, known), None)


@dataclass(slots=True)
class TimeLeft:
    """Estimates the time left of jobs that run one after another.

    What the cells of a condition share, such as extraction, counts for the conditions
    to come, and not for the cells that read it.

    Attributes:
        waiting: The jobs of each condition that has not begun.
        clock: Returns the time in seconds.
    """

    waiting: list[Sequence[Job]]
    clock: Callable[[], float] = time.monotonic
    _cells: _Times = field(default_factory=_Times)
    _shared: _Times = field(default_factory=_Times)
    _own: list[Job] = field(default_factory=list)
    _began: float = 0.0

    def begin_condition(self) -> None:
        """Note that work begins that the cells of the next condition share."""
        self._own = list(self.waiting.pop(0))
        self._began = self.clock()

    def end_shared(self) -> None:
        """Note that this work is done, and that the first cell begins."""
        now = self.clock()
        self._shared.add(_upstream(self._own[0]), now - self._began)
        self._began = now

    def end_cell(self, *, done: bool) -> float | None:
        """Note that a cell has ended, and that the next begins.

        Args:
            done: Whether it has a result; one that failed tells nothing of the others.

        Returns:
            The seconds left; None if they are not known yet.
        """
        if not self._own:  # a cell outside a run, as one whose worker died
            return None
        job, now = self._own.pop(0), self.clock()
        if done:
            self._cells.add(_kinds(job), now - self._began)
        self._began = now
        cells = [*self._own, *(job for jobs in self.waiting for job in jobs)]
        shared = [self._shared.expected(_upstream(jobs[0])) for jobs in self.waiting]
        parts = [*shared, *(self._cells.expected(_kinds(job)) for job in cells)]
        known = [seconds for seconds in parts if seconds is not None]
        return sum(known) if len(known) == len(parts) else None


def _kinds(job: Job) -> list[Hashable]:
    """Return the kinds of a cell, from the narrowest to the widest."""
    head, upstream = job.cell.downstream.label, job.cell.upstream.label
    return [(upstream, head), head, None]


def _upstream(job: Job) -> list[Hashable]:
    return [job.cell.upstream.label, None]


@dataclass(slots=True)
class TimeLeftOfWorkers:
    """Estimates the time left of cells that several workers share.

    Attributes:
        cells: Number of cells that have not ended.
        tasks: Number of tasks that have not ended and come before cells.
    """

    cells: int
    tasks: int
    clock: Callable[[], float] = time.monotonic
    _ended: int = 0
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def end_task(self) -> None:
        """Note that a task has ended; the last one starts the time of the cells."""
        self.tasks -= 1
        self._began, self._ended = self.clock(), 0

    def end_cell(self) -> float | None:
        """Note that a cell has ended; return the seconds left, None if not known."""
        self.cells -= 1
        self._ended += 1
        if self.tasks:
            return None
        return (self.clock() - self._began) * self.cells / self._ended
