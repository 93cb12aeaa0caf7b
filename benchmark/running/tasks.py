"""Run tasks in workers in the order of their needs, and find those that end workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.runner import is_fatal
from nserbench.errors import EndedEarly, NserbenchError

T = TypeVar("T")

ATTEMPTS = 3
"""How often a task that cannot be divided is started, if its workers die."""


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """Work for one worker.

    Attributes:
        run: Does the work; can be pickled.
        divide: Returns smaller tasks for the same work; none if there are none.
        instead: Runs in a worker in place of ``run``, once ``run`` is known to end the
            process that runs it; None if the command must end then.
        gives: Name of what it makes for other tasks; None if it makes nothing.
        after: Names of what it needs. It starts when all tasks that give these have
            ended.
        deaths: How often a worker died while it ran this task, or a larger one that
            had this task in it.
    """

    run: Callable[[], T]
    divide: Callable[[], Sequence[Task[T]]] = tuple
    instead: Callable[[], T] | None = None
    gives: Hashable = None
    after: frozenset[Hashable] = frozenset()
    deaths: int = 0


def run_tasks(
    executor: TaskExecutor, tasks: Sequence[Task[T]], note: Callable[[str], None]
) -> Iterator[T]:
    """Run tasks, and yield their results as they end.

    If a worker dies, each task that was in a worker is started again, one at a time. If
    the worker dies once more, that task ends it: the task is divided, and so are its
    parts, until the parts that end a worker are known. So one crash never costs the
    other tasks.

    Args:
        executor: Executor that runs them.
        tasks: The tasks.
        note: Receives a message for the user.

    Raises:
        NserbenchError: if a task fails, or ends its worker and has nothing to run
            instead.
    """
    return _TaskLoop(executor, list(tasks), note).results()


@dataclass(slots=True)
class _TaskLoop(Generic[T]):
    """Starts tasks while workers are free.

    Attributes:
        blocked: Tasks whose needs are not there yet.
        ready: Tasks that can be started.
        missing: Number of tasks that have not ended, by what they give.
        suspects: Tasks that were in a worker when one died.
        started: Tasks that are in a worker.
        broken: Whether a worker has died, so that the pool takes no more tasks.
    """

    executor: TaskExecutor
    blocked: list[Task[T]]
    note: Callable[[str], None]
    ready: deque[Task[T]] = field(default_factory=deque)
    missing: Counter[Hashable] = field(default_factory=Counter)
    suspects: deque[Task[T]] = field(default_factory=deque)
    started: dict[Future[T], Task[T]] = field(default_factory=dict)
    broken: bool = False

    def results(self) -> Iterator[T]:
        """Yield the results as they end; an error cancels the tasks not started."""
        self.missing.update(task.gives for task in self.blocked)
        self._release()
        try:
            while self.ready or self.suspects or self.started:
                self._start()
                for future in wait(self.started, return_when=FIRST_COMPLETED).done:
                    yield from self._ended(future, self.started.pop(future))
        finally:
            for future in self.started:
                future.cancel()

    def _start(self) -> None:
        """Start as many tasks as there are workers; suspects alone."""
        if self.broken or self.suspects:
            if self.started:
                return
            if self.broken:
                self._new_pool()
        every = len(self.ready) + len(self.started)
        room = 1 if self.suspects else self.executor.at_once or every
        tasks = self.suspects or self.ready
        while tasks and len(self.started) < room and not self.broken:
            self._submit(tasks.popleft(), tasks)

    def _submit(self, task: Task[T], queue: deque[Task[T]]) -> None:
        try:
            self.started[self.executor.pool.submit(task.run)] = task
        except BrokenExecutor:  # a worker died that had nothing to do
            self.broken = True
            queue.appendleft(task)

    def _new_pool(self) -> None:
        if self.executor.new_pool is None:
            raise _ended_early("its pool takes no more tasks")
        if self.suspects:
            count = len(self.suspects)
            tasks = "1 task is" if count == 1 else f"{count} tasks are"
            self.note(f"a worker process died: {tasks} started again")
        self.executor.pool, self.broken = self.executor.new_pool(), False

    def _ended(self, future: Future[T], task: Task[T]) -> Iterator[T]:
        try:
            result = future.result()
        except self.executor.died as error:
            self.broken = self.executor.new_pool is not None
            self._suspect(replace(task, deaths=task.deaths + 1), error)
        except CancelledError as error:  # nothing here cancels a task that is awaited
            raise _ended_early("its scheduler has ended") from error
        except Exception as error:
            if isinstance(error, NserbenchError) or is_fatal(error):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise _ended_early(reason) from error
        else:
            self.missing[task.gives] -= 1
            if not self.missing[task.gives]:
                self._release()
            yield result

    def _release(self) -> None:
        """Let the tasks start whose needs are there."""
        still: list[Task[T]] = []
        for task in self.blocked:
            waits = any(self.missing[name] for name in task.after)
            (still if waits else self.ready).append(task)
        self.blocked = still

    def _suspect(self, task: Task[T], error: Exception) -> None:
        """Decide what to run after a worker died with a task."""
        alone = task.deaths > 1  # the first time others ran, too
        parts = task.divide() if alone else ()
        if parts:
            divided = [replace(part, deaths=task.deaths) for part in parts]
            self.suspects.extendleft(reversed(divided))
        elif task.deaths < ATTEMPTS:
            self.suspects.append(task)
        elif task.instead is not None:
            instead = replace(task, run=task.instead, instead=None, divide=tuple)
            self.suspects.append(replace(instead, deaths=ATTEMPTS))
        else:
            reason = f"{type(error).__name__}: {error}"
            raise _ended_early(reason) from error


def _ended_early(reason: str) -> EndedEarly:
    return EndedEarly(
        f"a worker ended before its task: {reason}\n"
        "  finished cells are kept; run the same command again to continue"
    )
