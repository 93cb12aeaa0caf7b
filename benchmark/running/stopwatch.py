"""Time samples of work within a budget, and find out whether the machine was busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

T = TypeVar("T")

BUDGET = 20.0
"""Seconds that all samples of a plan may take together, so that it takes about 30."""

BUSY = 1.25
"""Load from which a machine is called busy."""

FEWER_THREADS = "with OMP_NUM_THREADS=1 before the command it may be faster"
"""What to do on a busy machine: a product waits for the slowest of its threads."""


@contextmanager
def threads_of_worker(count: int | None) -> Iterator[None]:
    """Let torch use as many threads as a worker has; None to leave their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks that are read, each in seconds.

    Attributes:
        wall: The time that passes.
        thread: CPU time of the thread that calls.
        process: CPU time of all threads of this process.
    """

    wall: Callable[[], float] = time.perf_counter
    thread: Callable[[], float] = time.thread_time
    process: Callable[[], float] = time.process_time

    def read(self) -> Lap:
        """Return what the clocks show."""
        return Lap(self.wall(), self.thread(), self.process())


@dataclass(frozen=True, slots=True)
class Lap:
    """Seconds by each of the `Clocks`."""

    wall: float
    thread: float
    process: float

    def since(self, began: Lap) -> Lap:
        """Return the difference."""
        return Lap(
            self.wall - began.wall,
            self.thread - began.thread,
            self.process - began.process,
        )

    def free(self, threads: int) -> float:
        """Return the seconds that the same work takes while nothing else runs.

        This is the CPU time of the calling thread, or that of all threads divided by
        their number, if that is more: OpenMP computes in the calling thread, too, but
        while a pool of threads computes, the calling thread waits.

        Args:
            threads: Number of threads that torch may use.
        """
        return min(self.wall, max(self.thread, self.process / threads))


@dataclass(slots=True)
class Stopwatch:
    """Times samples of work, and knows how much of the budget is left.

    Attributes:
        device: Where the work is done. On a GPU the time that passes is taken, since
            the process only waits for it.
        samples: Number of samples that are still to be taken.
        wall: Seconds that all samples took.
        free: Seconds that they would take on a free machine.
    """

    device: str
    budget: float = field(default_factory=lambda: BUDGET)
    clocks: Clocks = field(default_factory=Clocks)
    samples: int = 1
    wall: float = 0.0
    free: float = 0.0
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clocks.wall()

    @property
    def load(self) -> float:
        """How many times longer the samples took than on a free machine."""
        return max(1.0, self.wall / self.free) if self.free else 1.0

    def share(self) -> float:
        """Return the seconds that the next sample may take; 0 if none are left.

        That is half of what is left, and all of it for the last sample: most samples
        need only a part of their share.
        """
        left = self.budget - (self.clocks.wall() - self._began)
        share = max(0.0, left / min(2, max(1, self.samples)))
        self.samples -= 1
        return share

    def time(
        self, call: Callable[[], T], *, counts: bool = True, threads: int | None = None
    ) -> Timed[T]:
        """Return what a call returns, with the seconds it takes on a free machine.

        Args:
            call: The work.
            counts: Whether it tells how busy the machine is; not for a first call,
                which reads files.
            threads: Number of threads that compute; None for those of torch.
        """
        self._synchronise()
        began = self.clocks.read()
        result = call()
        self._synchronise()
        lap = self.clocks.read().since(began)
        on_cpu = torch.device(self.device).type == "cpu"
        free = lap.free(threads or torch.get_num_threads()) if on_cpu else lap.wall
        if counts:
            self.wall += lap.wall
            self.free += free
        return Timed(result, free, lap.wall)

    def _synchronise(self) -> None:
        """Wait until a GPU has done what it was told."""
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize(self.device)


def slowed_line(watch: Stopwatch) -> str | None:
    """Return what to do if other programs slow training down; None if they do not.

    Args:
        watch: Has timed all training of this process so far.
    """
    if watch.wall < 2.0 or watch.load < 1.5 or torch.get_num_threads() == 1:
        return None
    return (
        f"other programs use the cores: training took {watch.load:.1f} times as long "
        f"as on a free machine; {FEWER_THREADS}"
    )


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """What a call returned.

    Attributes:
        seconds: Time that it takes on a free machine.
        wall: Time that it took now.
    """

    result: T
    seconds: float
    wall: float


@dataclass(frozen=True, slots=True)
class Largest(Generic[T]):
    """The largest sample that its share of the budget allowed.

    Attributes:
        size: Its size.
        results: What each sample returned, up to this one.
        whole: Whether it is the largest that was asked for.
    """

    size: int
    results: Sequence[T]
    whole: bool


def largest(
    sizes: Sequence[int],
    take: Callable[[int], T],
    share: float,
    clock: Callable[[], float],
) -> Largest[T]:
    """Take samples of rising sizes, until the next would take more than the share.

    The first is always taken.

    Args:
        sizes: Sizes of the samples, at least one, the smallest first.
        take: Takes a sample of a size.
        share: Seconds that all of them may take.
        clock: Returns the time in seconds.
    """
    began, results = clock(), []
    for position, size in enumerate(sizes):
        started = clock()
        results.append(take(size))
        now = clock()
        rest = sizes[position + 1 :]
        if not rest:
            break
        expected = (now - started) * rest[0] / size
        if now - began + expected > share:
            break
    return Largest(size, results, not rest)
