"""Where the tasks of workers run: processes, Dask and Slurm."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from shared_grids import GRID, table
from worker_tasks import visible_gpus

from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.executors import open_executor
from nserbench.errors import BadSettings, BadSpec, NserbenchError


@pytest.mark.parametrize("on", ["processes", "processes:0", "dask://x", "ray", ""])
def test_an_unknown_executor_is_answered_with_the_known_ones(on: str) -> None:
    with (
        pytest.raises(BadSpec, match="use processes:N, dask://HOST:PORT or slurm"),
        open_executor(on, {}),
    ):
        pass


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


def test_a_scheduler_without_workers_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        with open_executor(f"dask://{address}", {}) as executor:
            assert executor.workers == 1

    assert f"to start one: `dask worker {address}`" in capsys.readouterr().err


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
