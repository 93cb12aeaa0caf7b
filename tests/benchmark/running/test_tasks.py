"""Tasks that end their worker are found, and all others are done."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from deadly_work import give_up, work

from nserbench.benchmark.running.executors import TaskExecutor, open_executor
from nserbench.benchmark.running.tasks import Task, run_tasks
from nserbench.errors import NserbenchError


def task(folder: Path, names: Sequence[str], *, dear: bool = True) -> Task[list[str]]:
    half = len(names) // 2
    return Task(
        partial(work, folder, names),
        lambda: [task(folder, names[:half]), task(folder, names[half:])] * bool(half),
        partial(give_up, names) if dear else None,
    )


@pytest.fixture
def two() -> Iterator[TaskExecutor]:
    with open_executor("processes:2", {}) as executor:
        yield executor


def ended(
    executor: TaskExecutor,
    tasks: Sequence[Task[list[str]]],
    tell: Callable[[str], None] = print,
) -> list[str]:
    return sorted(one for part in run_tasks(executor, tasks, tell) for one in part)


def test_a_task_that_ends_its_worker_is_divided_down_to_the_part_that_does(
    two: TaskExecutor, tmp_path: Path
) -> None:
    shares = [["a", "b", "deadly", "c"], ["d"], ["e"], ["f"]]
    deaths: list[str] = []

    found = ended(two, [task(tmp_path, share) for share in shares], deaths.append)

    healthy = [f"{name} done" for name in "abcdef"]
    assert found == sorted([*healthy, "deadly failed"])
    starts = "".join((tmp_path / name).read_text() for name in "def")
    assert starts.count("started") <= 3 + len(deaths)  # a death ends one other at most


def test_a_task_whose_worker_died_once_is_run_again(
    two: TaskExecutor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ended(two, [task(tmp_path, ["once"]), task(tmp_path, ["a"])])

    assert found == ["a done", "once done"]
    assert "a worker process died: " in capsys.readouterr().out


def test_a_task_without_anything_to_run_instead_is_started_three_times(
    two: TaskExecutor, tmp_path: Path
) -> None:
    with pytest.raises(NserbenchError, match="a worker ended before its task"):
        ended(two, [task(tmp_path, ["deadly"], dear=False)])

    assert (tmp_path / "deadly").read_text() == "started\n" * 3


def test_an_error_of_a_task_cancels_those_not_started(
    two: TaskExecutor, tmp_path: Path
) -> None:
    failing = Task(partial(work, tmp_path / "missing", ["a"]))

    with pytest.raises(FileNotFoundError):
        ended(two, [failing, *(task(tmp_path, [f"b{n}"]) for n in range(20))])

    assert len([*tmp_path.iterdir()]) < 20


def test_a_lost_scheduler_ends_the_command_with_a_sentence() -> None:
    future: Future[list[str]] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    lost = TaskExecutor(Mock(submit=lambda _: future), None, workers=1)

    with pytest.raises(NserbenchError, match="its scheduler has ended"):
        ended(lost, [Task(list)])


def test_a_pool_that_starts_workers_itself_tells_of_a_death_by_an_error_of_its_own(
    tmp_path: Path,
) -> None:
    class Killed(Exception):
        """The error of a task whose workers died."""

    def run(names: Sequence[str]) -> list[str]:
        if "deadly" in names:
            raise Killed
        return [f"{name} done" for name in names]

    def share(names: Sequence[str]) -> Task[list[str]]:
        parts = [[name] for name in names] if len(names) > 1 else []
        return Task(
            partial(run, names),
            lambda: [share(part) for part in parts],
            partial(give_up, names),
        )

    with ThreadPoolExecutor(2) as pool:
        found = ended(
            TaskExecutor(pool, None, workers=1, died=(Killed,)),
            [share(["a", "deadly", "b"]), share(["c"])],
        )

    assert found == ["a done", "b done", "c done", "deadly failed"]


def test_a_task_starts_when_what_it_needs_is_there_and_no_later() -> None:
    ended = list[str]()

    def step(name: str, *, after: str = "", gives: str | None = None) -> Task[None]:
        return Task(
            partial(ended.append, name), gives=gives, after=frozenset(after.split())
        )

    tasks = [
        step("fit a", after="a"),
        step("fit a b", after="a b"),
        step("1 of a", gives="a"),
        step("2 of a", gives="a"),
        step("fit of nothing made here", after="c"),
        step("b", gives="b", after="a"),
    ]
    with ThreadPoolExecutor(1) as pool:
        count = len([*run_tasks(TaskExecutor(pool, None, 1), tasks, print)])

    assert count == len(tasks)
    made_here, others = ended[:2] + ended[3:], ended[2]
    assert made_here == ["1 of a", "2 of a", "fit a", "b", "fit a b"]
    assert others == "fit of nothing made here"
