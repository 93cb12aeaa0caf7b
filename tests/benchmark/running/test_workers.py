import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from scribes import Reader, calls, offer_scribes
from worker_tasks import visible_gpus

from nserbench.benchmark.extraction.extract import extract_missing
from nserbench.benchmark.jobs.head import save_head
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import workers as module
from nserbench.benchmark.running.executors import TaskExecutor, open_executor
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.workers import WorkerPool
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.errors import BadSettings, BadSpec, NserbenchError, UnknownName
from nserbench.progress import Silent
from nserbench.settings import Settings
from nserbench.source_digest import _SOURCES

GRID: Any = {"downstreams": ["mean", "bigru"], "noises": ["clean", "hiss"]}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a new folder, with empty caches."""
    monkeypatch.chdir(tmp_path)
    for cached in (module._open_studies, module._needs, module._models):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread for torch here, as in the worker processes of the tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def share(
    notes: Path, hiss: Path, tmp_path: Path
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


def table(results: Sequence[Result]) -> dict[str, object]:
    return {
        f"{one.upstream} {one.downstream} {one.condition}": one.predictions
        and one.predictions.probabilities.tolist()
        for one in results
    }


@pytest.fixture
def alone(
    ask: Callable[..., Study], runner_in: Callable[[Path], Runner], tmp_path: Path
) -> Callable[..., list[Result]]:
    """Return a function that runs a grid in this process, with a store of its own."""

    def go(**said: Any) -> list[Result]:
        report = runner_in(tmp_path / "alone").run(ask(**said))
        return [read_result(folder) for folder in report.folders]

    return go


def test_two_processes_return_the_same_probabilities_as_one(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    with open_executor("processes:2", {}) as executor:
        shared, told = share(executor, **GRID)

    assert len(told) == 4
    assert {line.rpartition(": ")[2] for line in told} == {"done"}
    assert table(shared) == table(alone(**GRID))


def test_tasks_of_one_process_run_one_at_a_time(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
) -> None:
    shared, _ = share(threads, **GRID)

    assert table(shared) == table(alone(**GRID))


def test_no_features_are_extracted_twice(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def noted(need: Any, *rest: Any) -> None:
        heard.append(need.extraction.condition)
        extract_missing(need, *rest)

    monkeypatch.setattr(module, "extract_missing", noted)
    monkeypatch.setattr(
        "nserbench.benchmark.extraction.extract.extract", counted := Counted()
    )

    share(threads, **GRID, protocol="probe+clean-train")

    assert sorted(heard) == ["clean", "hiss@0"]
    assert counted.calls == 2
    share(threads, **GRID | {"downstreams": ["last"]})
    assert len(heard) == 2


@pytest.mark.parametrize("heads", [("mean", "bigru"), ("bigru", "mean")])
def test_blocks_of_a_grid_share_their_passes_in_any_order(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
    heads: tuple[str, str],
) -> None:
    target = "nserbench.benchmark.extraction.extract.extract"
    monkeypatch.setattr(target, counted := Counted())
    noises = {"noises": ["clean", "hiss"]}

    blocks = [{"downstreams": [head], **noises} for head in heads]
    results, _ = share(threads, blocks=blocks)

    assert counted.calls == 2
    assert table(results) == table(alone(**GRID))


def test_a_worker_extracts_only_for_cells_that_have_no_result(
    share: Callable[..., Any], threads: TaskExecutor, tmp_path: Path
) -> None:
    share(threads, downstreams=["bigru"])
    (features,) = Store(tmp_path / "store").all_features()
    (frames,) = features.shards("frames")
    frames.unlink()

    share(threads, blocks=[{"downstreams": ["bigru"]}, {"downstreams": ["last"]}])

    assert features.shards("frames") == []


def test_few_conditions_are_shared_by_utterance_and_few_cells_by_fold(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts: list[list[str]] = []
    fitted: list[Path] = []

    def extracted(need: Any, *rest: Any) -> None:
        parts.append([clip.utterance.id for clip in need.clips.values()])
        extract_missing(need, *rest)

    def saved(file: Path, *rest: Any) -> None:
        fitted.append(file)
        save_head(file, *rest)

    monkeypatch.setattr(module, "extract_missing", extracted)
    monkeypatch.setattr("nserbench.benchmark.jobs.fit.save_head", saved)
    grid: Any = {"downstreams": ["bigru"], "noises": ["clean"]}
    expected = table(alone(**grid))
    fits, fitted[:] = len(fitted), []

    shared, told = share(replace(threads, workers=4), **grid)

    assert table(shared) == expected
    assert [line.rpartition(": ")[2] for line in told] == ["done"]
    assert len(parts) == 4
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    together = [name for part in parts for name in part]
    assert len(set(together)) == len(together) == 24
    assert len(set(fitted)) == len(fitted) == fits


def test_a_fold_that_fails_fails_its_cell_and_no_other(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Mock(side_effect=NserbenchError("training diverged"))
    monkeypatch.setattr("nserbench.benchmark.jobs.fit.train_head", broken)

    results, _ = share(
        replace(threads, workers=4), downstreams=["bigru", "mean"], noises=["clean"]
    )

    assert [result.status for result in results] == ["failed", "done"]


def test_transcripts_are_made_before_the_features_of_upstreams_that_read_them(
    share: Callable[..., Any],
    threads: TaskExecutor,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer_scribes(plugins, offer)
    monkeypatch.setattr(module, "Plugins", lambda *_: plugins)

    results, _ = share(threads, upstreams=["reader:text=scribe", "scribe"])

    assert [one.status for one in results] == ["done", "done"]
    assert calls == {"listen": 24}
    assert len(Reader.read) == 24


def test_features_of_a_fine_tuned_upstream_are_left_to_the_worker_that_fine_tunes_it(
    store: Store,
) -> None:
    upstream = SimpleNamespace(tuned=Path("tuned.safetensors"))
    need = SimpleNamespace(extraction=SimpleNamespace(upstream=upstream))
    needs: Any = [SimpleNamespace(name="tuned", need=need)]

    assert [*module._Tasks(b"", {}, needs, store).passes(2)] == []


def test_a_cell_waits_for_its_own_features_alone(
    share: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    alone: Callable[..., list[Result]],
) -> None:
    extract, run, order = module._extract, module._run, list[str]()
    late = threading.Event()

    def extract_one(study: bytes, name: str, *more: Any) -> Sequence[str]:
        if "clean" not in order:
            order.append("clean")
        else:
            late.wait(60)
            order.append("noise")
        return extract(study, name, *more)

    def run_one(*given: Any) -> Any:
        order.append("cells")
        late.set()
        return run(*given)

    monkeypatch.setattr(module, "_extract", extract_one)
    monkeypatch.setattr(module, "_run", run_one)
    monkeypatch.setattr(module, "_ONE_AT_A_TIME", threading.RLock())
    grid = {"downstreams": ["mean"], "noises": ["clean", "hiss"]}

    with ThreadPoolExecutor(2) as pool:
        shared, _ = share(TaskExecutor(pool, None, workers=1), **grid)

    assert order == ["clean", "cells", "noise", "cells"]
    assert table(shared) == table(alone(**grid))


def test_a_task_uses_the_threads_of_its_executor(share: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(1) as executor:
        (result,), _ = share(TaskExecutor(executor, 3, workers=1))

    assert result.provenance["threads"] == 3


class Counted:
    """Counts the passes of upstreams."""

    def __init__(self) -> None:
        from nserbench.benchmark.extraction.extract import extract

        self.real, self.calls = extract, 0

    def __call__(self, *given: Any) -> None:
        """Count the pass, and run it."""
        self.calls += 1
        self.real(*given)


PLUGIN = """
    import os
    import torch
    import nserbench as nb

    class Odd(nb.Upstream):
        def forward(self, batch):
            act(batch)
            return {"x": nb.LayerGroup(torch.ones(1, len(batch.ids), 1, 2),
                                       torch.ones(len(batch.ids), dtype=torch.int64))}

    @nb.hookimpl
    def nserbench_upstreams():
        groups = {"x": nb.GroupSpec(range(1, 2), 2, None)}
        return [nb.UpstreamCard(name="odd", summary="", source="", licence="",
                                load="odd:Odd", groups=groups)]

    @nb.hookimpl
    def nserbench_cell_finished(result):
        raise ValueError("no tracker")
"""


def write_plugin(act: str) -> str:
    file = Path("odd.py")
    file.write_text(
        f"def act(batch):\n    {act}\n\n" + textwrap.dedent(PLUGIN), encoding="utf-8"
    )
    return "odd.py"


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "SystemExit", "OSError(28)"])
def test_what_a_plugin_raises_in_a_worker_fails_its_cells_alone(
    share: Callable[..., Any], raised: str
) -> None:
    plugin = write_plugin(f"raise {raised}")

    with open_executor("processes:1", {}) as executor:
        results, _ = share(executor, [plugin], upstreams=["odd", "mel"])

    assert {one.upstream: one.status for one in results} == {
        "odd": "failed",
        "mel": "done",
    }


def test_workers_load_plugins_from_a_file_and_report_their_errors(
    share: Callable[..., Any],
) -> None:
    plugin = write_plugin("raise ValueError('it is odd')")

    with open_executor("processes:1", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    by_name = {one.upstream: one for one in results}
    assert by_name["mel"].status == "done"
    assert by_name["odd"].status == "failed"
    assert "ValueError: it is odd (odd.py, line 2)" in str(by_name["odd"].reason)
    assert any("a tracker failed: ValueError: no tracker" in line for line in told)
    assert any("failed: ValueError: it is odd" in line for line in told)


def test_the_tasks_of_a_worker_that_died_are_started_again(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    died = "os.path.exists('died') or open('died', 'x').close() or os._exit(9)"
    plugin = write_plugin(died)

    with open_executor("processes:1", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    assert {one.status for one in results} == {"done"}
    assert any(line.startswith("a worker process died: ") for line in told)
    (mel,) = (one for one in results if one.upstream == "mel")
    assert table([mel]) == table(alone())


def test_a_cell_that_ends_its_worker_fails_by_name_and_the_others_go_on(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    plugin = write_plugin("os._exit(3)")

    with open_executor("processes:2", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    odd, mel = sorted(results, key=lambda one: one.upstream != "odd")
    assert odd.status == "failed"
    assert str(odd.reason).startswith("the worker process died whenever it ran")
    assert any("odd" in line and "failed: the worker" in line for line in told)
    assert table([mel]) == table(alone())
    write_plugin("pass")
    _SOURCES.clear()  # as in another process
    with open_executor("processes:1", {}) as executor:
        (result,), _ = share(executor, [plugin], upstreams=["odd"])
    assert result.status == "done"


def test_a_full_disk_ends_the_run(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A function of the standard library, since one of this file would be a plugin's.
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(module, "extract_missing", full)

    with pytest.raises(OSError, match="No space left"):
        share(threads)


def test_the_error_of_a_worker_names_what_it_lacks(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_study(*_: Any) -> None:
        raise UnknownName("upstream", "odd", ["mel"])

    monkeypatch.setattr(module, "make_study", make_study)

    with pytest.raises(NserbenchError, match="unknown upstream 'odd'") as caught:
        share(threads)
    assert type(pickle.loads(pickle.dumps(caught.value))) is NserbenchError


@pytest.mark.parametrize("grid", [{}, GRID], ids=["features", "cells"])
def test_a_worker_that_makes_another_study_is_refused(
    share: Callable[..., Any],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
    grid: dict[str, Any],
) -> None:
    def prepare_less(*given: Any) -> Any:
        """Leave out the last cell."""
        return prepare(*given)[:-1]

    monkeypatch.setattr(module, "prepare", prepare_less)

    with pytest.raises(NserbenchError, match="makes another study of the same command"):
        share(threads, **grid)


@pytest.mark.parametrize("on", ["processes", "processes:0", "dask://x", "ray", ""])
def test_an_unknown_executor_is_answered_with_the_known_ones(on: str) -> None:
    with (
        pytest.raises(BadSpec, match="use processes:N, dask://HOST:PORT or slurm"),
        open_executor(on, {}),
    ):
        pass


def test_workers_read_and_write_in_their_own_folders(
    share: Callable[..., Any],
    threads: TaskExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "there").symlink_to(tmp_path)
    moved = {"paths": {str(tmp_path): str(tmp_path / "there")}}
    stores: list[Path] = []

    def opened(root: Path, *more: Any) -> Store:
        stores.append(root)
        return Store(root, *more)

    monkeypatch.setattr(module, "Store", opened)

    (result,), _ = share(threads, cluster=moved)

    assert result.status == "done"
    assert stores == [tmp_path / "store", tmp_path / "there/store"]


@pytest.mark.parametrize(
    ("device", "seen"), [("auto", {"3", "7"}), ("cuda:1", {"3,7"})]
)
def test_each_process_sees_one_gpu_unless_the_device_has_a_number(
    monkeypatch: pytest.MonkeyPatch, device: str, seen: set[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")

    with open_executor("processes:2", {}, device) as executor:
        tasks = [executor.pool.submit(visible_gpus) for _ in range(4)]
        found = dict(task.result() for task in tasks)

    assert len(found) == 2
    assert set(found.values()) == seen


def test_a_process_has_the_environment_variables_of_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("NSERBENCH_SEEN", value)

        with open_executor("processes:1", {}) as executor:
            seen = executor.pool.submit(os.getenv, "NSERBENCH_SEEN").result()

        assert seen == value


def test_tasks_take_the_gpus_that_dask_workers_announce() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=4,
        processes=False,
        protocol="tcp",
        resources={"GPU": 2},
        dashboard_address=":0",
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        with open_executor(f"dask://{address}", {}) as executor:
            tasks = [executor.pool.submit(time.sleep, 0.5) for _ in range(3)]
            state, running = cluster.workers[0].state, set[int]()
            while not all(task.done() for task in tasks):
                running.add(state.executing_count)
                time.sleep(0.01)

    assert (executor.workers, max(running)) == (2, 2)


def test_an_address_without_a_scheduler_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nserbench.benchmark.running.executors._CONNECT_TIMEOUT", 0.2)
    with (
        pytest.raises(NserbenchError, match="no Dask scheduler answers at localhost:9"),
        open_executor("dask://localhost:9", {}),
    ):
        pass


def test_the_workers_of_a_dask_cluster_return_the_same_as_one_process(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=":0"
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        with open_executor(f"dask://{address}", {}) as executor:
            shared, _ = share(executor, **GRID)

    assert table(shared) == table(alone(**GRID))


with_jobqueue = pytest.mark.skipif(
    find_spec("dask_jobqueue") is None, reason="dask_jobqueue is not installed"
)


def has_slurm() -> bool:
    return bool(shutil.which("sinfo")) and not subprocess.call(["sinfo", "--noheader"])


@pytest.mark.slow
@pytest.mark.skipif(not has_slurm(), reason="there is no Slurm here")
def test_the_jobs_of_slurm_return_the_same_as_one_process(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    job = {"cores": 1, "memory": "3GB", "walltime": "00:10:00"}

    with open_executor("slurm", {"jobs": 2, **job}) as executor:
        shared, _ = share(executor, **GRID)

    assert table(shared) == table(alone(**GRID))


@with_jobqueue
@pytest.mark.parametrize(
    ("sbatch", "why"),
    [
        (None, "no sbatch on this machine"),
        ("echo 'invalid partition specified: gpu' >&2; exit 1", "invalid partition"),
    ],
)
def test_jobs_that_cannot_be_submitted_say_why_and_leave_interrupts_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sbatch: str | None, why: str
) -> None:
    if sbatch is not None:
        (tmp_path / "sbatch").write_text(f"#!/bin/sh\n{sbatch}\n")
        (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    job = {"jobs": 1, "cores": 1, "memory": "1GB", "queue": "gpu"}
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)  # its import changes the handler
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(NserbenchError, match=why), open_executor("slurm", job):
        pass

    assert signal.getsignal(signal.SIGINT) is before


@with_jobqueue
@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ({}, "jobs must be a number"),
        ({"jobs": 0, "cores": 1, "memory": "1GB"}, "jobs must be a number"),
        ({"minimum": 2, "maximum": 1, "cores": 1}, "minimum and maximum"),
        ({"minimum": 1, "cores": 1}, "minimum and maximum"),
        ({"maximum": "many", "minimum": 1}, "minimum and maximum"),
        ({"jobs": 1, "memory": "1GB"}, "cores"),
        ({"jobs": 1, "cores": 1, "memory": "1GB", "quue": "a"}, "quue"),
    ],
)
def test_a_cluster_table_that_does_not_describe_a_job_is_refused(
    cluster: dict[str, object], why: str
) -> None:
    with pytest.raises(BadSettings, match=why), open_executor("slurm", cluster):
        pass
