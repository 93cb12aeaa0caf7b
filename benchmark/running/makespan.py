"""How long tasks take in several workers, by simulation."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimedTask:
    """A task and its time.

    Attributes:
        gives: Name of what it makes; several tasks may make parts of the same.
        seconds: Its time in a worker.
        after: Names of what must be there before it starts.
    """

    gives: Hashable
    seconds: float
    after: Collection[Hashable] = ()


def makespan(tasks: Sequence[TimedTask], workers: int) -> float:
    """Return the seconds until all tasks are done.

    A free worker takes the first task of the list whose needs are there.

    Args:
        tasks: The tasks. What none of them makes is there from the start.
        workers: Workers that run one task at a time.
    """
    missing = Counter(task.gives for task in tasks)
    waits = [sum(1 for name in set(task.after) if missing[name]) for task in tasks]
    followers: dict[Hashable, list[int]] = defaultdict(list)
    for number, task in enumerate(tasks):
        for name in set(task.after):
            followers[name].append(number)
    ready = [number for number, count in enumerate(waits) if not count]
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            number = heapq.heappop(ready)
            heapq.heappush(running, (now + tasks[number].seconds, number))
        now, number = heapq.heappop(running)
        name = tasks[number].gives
        missing[name] -= 1
        for follower in followers[name] if not missing[name] else ():
            waits[follower] -= 1
            if not waits[follower]:
                heapq.heappush(ready, follower)
    return now
