"""Samples within a budget, with clocks that the test moves."""

from dataclasses import dataclass

import pytest
import torch

from nserbench.benchmark.running.stopwatch import (
    FEWER_THREADS,
    Clocks,
    Lap,
    Stopwatch,
    largest,
    slowed_line,
)


@dataclass
class FakeClock:
    """Clocks that show what the work has taken."""

    wall: float = 0.0
    thread: float = 0.0
    process: float = 0.0

    def work(self, wall: float, thread: float, process: float | None = None) -> None:
        """Let time pass."""
        self.wall += wall
        self.thread += thread
        self.process += thread if process is None else process

    def clocks(self) -> Clocks:
        """Return the clocks that a stopwatch reads."""
        return Clocks(lambda: self.wall, lambda: self.thread, lambda: self.process)


def test_work_that_waits_for_the_processor_takes_its_cpu_time_on_a_free_machine() -> (
    None
):
    clock = FakeClock()
    watch = Stopwatch("cpu", clocks=clock.clocks())

    timed = watch.time(lambda: clock.work(wall=3.0, thread=1.0))

    assert (timed.seconds, timed.wall, watch.load) == (1.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("lap", "threads", "free"),
    [
        (Lap(wall=1.0, thread=1.0, process=2.0), 2, 1.0),  # two threads of OpenMP
        (Lap(wall=1.0, thread=1.0, process=1.2), 1, 1.0),  # a thread that reads ahead
        (Lap(wall=9.0, thread=1.0, process=4.0), 2, 2.0),  # a pool of two threads
        (Lap(wall=9.0, thread=1.0, process=2.0), 1, 2.0),  # a pool of one
        (Lap(wall=1.0, thread=1.1, process=1.1), 1, 1.0),  # clocks are not exact
    ],
)
def test_free_time_is_that_of_the_threads_that_did_the_work(
    lap: Lap, threads: int, free: float
) -> None:
    assert lap.free(threads) == free


def test_a_gpu_is_waited_for_and_its_time_is_the_time_that_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, waited = FakeClock(), list[str]()

    def synchronize(device: str) -> None:
        waited.append(device)
        clock.work(wall=5.0, thread=0.0)

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    watch = Stopwatch("cuda:0", clocks=clock.clocks())

    timed = watch.time(lambda: clock.work(wall=1.0, thread=0.5))

    assert waited == ["cuda:0", "cuda:0"]
    assert (timed.seconds, watch.load) == (6.0, 1.0)


@pytest.mark.parametrize(
    ("wall", "thread", "threads", "slowed"),
    [
        (6.0, 3.0, 2, True),
        (6.0, 3.0, 1, False),  # it uses one thread already
        (6.0, 5.0, 2, False),  # the machine is free
        (0.6, 0.3, 2, False),  # too short to tell
    ],
)
def test_training_that_waits_for_other_programs_is_told_what_to_do(
    wall: float,
    thread: float,
    threads: int,
    slowed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    clock = FakeClock()
    watch = Stopwatch("cpu", clocks=clock.clocks())
    watch.time(lambda: clock.work(wall=wall, thread=thread))

    line = slowed_line(watch)

    assert (line is not None) == slowed
    if line is not None:
        assert "training took 2.0 times as long" in line
        assert line.endswith(FEWER_THREADS)


def test_larger_samples_are_taken_while_they_fit_into_the_share() -> None:
    clock, taken = FakeClock(), list[int]()

    def take(size: int) -> int:
        taken.append(size)
        clock.work(wall=size, thread=size)
        return size

    found = largest([1, 4, 16], take, 6.0, lambda: clock.wall)

    assert taken == [1, 4]
    assert (found.size, found.results, found.whole) == (4, [1, 4], False)


def test_the_smallest_sample_is_taken_even_if_no_time_is_left() -> None:
    clock = FakeClock()

    found = largest([1, 4], lambda size: size, 0.0, lambda: clock.wall)

    assert (found.size, found.whole) == (4, True)  # it took no time

    slow = largest([1, 4], lambda n: clock.work(n, n), 0.0, lambda: clock.wall)

    assert (slow.size, slow.whole) == (1, False)


def test_samples_share_what_is_left_of_the_budget() -> None:
    clock = FakeClock()
    watch = Stopwatch("cpu", budget=30.0, clocks=clock.clocks(), samples=3)

    first = watch.share()
    clock.work(wall=20.0, thread=20.0)
    second = watch.share()
    clock.work(wall=20.0, thread=20.0)
    third = watch.share()

    assert (first, second, third) == (15.0, 5.0, 0.0)
