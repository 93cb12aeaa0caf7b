"""Studies that workers share, and the same studies in one process."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import workers as module
from nserbench.benchmark.running.executors import TaskExecutor
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.workers import WorkerPool
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.progress import Silent
from nserbench.settings import Settings


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a new folder, with empty caches."""
    monkeypatch.chdir(tmp_path)
    for cached in (module._open_studies, module._needs, module._models):
        cached.cache_clear()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread for torch here, as in the worker processes of the tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def share(
    in_folder: None, one_thread: None, notes: Path, hiss: Path, tmp_path: Path
) -> Callable[..., tuple[list[Result], list[str]]]:
    """Return a function from an executor and a grid to results and messages."""

    def go(
        executor: TaskExecutor,
        plugins: Sequence[str] = (),
        blocks: Sequence[dict[str, Any]] = ({},),
        **said: Any,
    ) -> tuple[list[Result], list[str]]:
        folders = {"store": tmp_path / "store", "results": tmp_path / "results"}
        cluster = said.pop("cluster", {})
        settings = Settings(folders, {"hiss": hiss}, cluster, environment={})
        plain: Any = {"upstreams": ["mel"], "corpora": [f"manifest:path={notes}"]}
        plain |= {"downstreams": ["mean"], "epochs": 2, **said}
        offered, told = vars(module)["Plugins"](plugins), Notes()  # as patched
        pool = WorkerPool(executor, plugins, settings, "cpu")
        store = Store(settings.store)
        runner = Runner(store, settings.results, offered, "cpu", told, pool.run)
        requests = [Request(**{**plain, **block}) for block in blocks]
        report = runner.run(*(make_study(one, offered, settings) for one in requests))
        return [read_result(one) for one in report.folders], told.lines

    return go


class Notes(Silent):
    """Keeps notes and cells."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)

    def cell(self, cell: Any, outcome: str) -> None:
        """Keep it."""
        self.lines.append(f"{cell}: {outcome}")


@pytest.fixture
def threads() -> Iterator[TaskExecutor]:
    """Return an executor that runs its tasks in threads of this process."""
    with ThreadPoolExecutor(4) as executor:
        yield TaskExecutor(executor, None, workers=1)


@pytest.fixture
def alone(
    ask: Callable[..., Study], runner_in: Callable[[Path], Runner], tmp_path: Path
) -> Callable[..., list[Result]]:
    """Return a function that runs a grid in this process, with a store of its own."""

    def go(**said: Any) -> list[Result]:
        report = runner_in(tmp_path / "alone").run(ask(**said))
        return [read_result(folder) for folder in report.folders]

    return go
