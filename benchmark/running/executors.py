"""Executors that run cells: processes of this machine, or workers of a cluster."""

from __future__ import annotations

import inspect
import logging
import multiprocessing
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from nserbench.errors import BadSettings, BadSpec, MissingExtra, NserbenchError

_CONNECT_TIMEOUT = 10.0  # seconds to wait for the answer of a scheduler
_CLUSTER_HELP = (
    "  describe a job under [cluster] in nserbench.toml, for example\n"
    '  jobs = 4, cores = 8, memory = "32GB", walltime = "08:00:00"'
)


@dataclass(slots=True)
class TaskExecutor:
    """An executor of tasks, and the threads of each task.

    Attributes:
        threads: Threads that each task may use; None to let the worker decide.
        workers: Number of tasks that run at once.
        new_pool: Makes another pool when a worker has died and broken the first one;
            None where the pool replaces workers itself.
        at_once: Number of tasks that are given to the pool at once; None for all.
        died: Errors of a task whose worker died.
    """

    pool: Executor
    threads: int | None
    workers: int
    new_pool: Callable[[], Executor] | None = None
    at_once: int | None = None
    died: tuple[type[Exception], ...] = (BrokenExecutor,)


@contextmanager
def open_executor(on: str, cluster: Mapping[str, object]) -> Iterator[TaskExecutor]:
    """Start workers, and stop them at the end.

    Args:
        on: ``processes:N``, ``dask://HOST:PORT`` or ``slurm``.
        cluster: The ``[cluster]`` table of the settings: ``jobs``, and the arguments
            of `dask_jobqueue.SLURMCluster`. Used for ``slurm`` alone.

    Raises:
        BadSpec: if ``on`` is none of these.
        BadSettings: if the table lacks a key or has an unknown one.
        MissingExtra: if Dask is not installed.
        NserbenchError: if no scheduler answers at the address, Slurm is not installed,
            or Slurm refuses the jobs.
    """
    if match := re.fullmatch(r"processes:([1-9][0-9]{0,4})", on):
        opened = _processes(int(match[1]))
    elif match := re.fullmatch(r"dask://([^/:]+:[0-9]{1,5})", on):
        opened = _dask(match[1])
    elif on == "slurm":
        opened = _slurm(cluster)
    else:
        raise BadSpec(f"--on {on}: use processes:N, dask://HOST:PORT or slurm")
    with opened as executor:
        yield executor


@contextmanager
def _processes(count: int) -> Iterator[TaskExecutor]:
    # A forked process would inherit locks that threads of this process hold.
    context = multiprocessing.get_context("spawn")
    new_pool = partial(ProcessPoolExecutor, count, context, _end_with_command)
    threads = max(1, torch.get_num_threads() // count)
    executor = TaskExecutor(new_pool(), threads, count, new_pool, count)
    try:
        yield executor
    except KeyboardInterrupt:
        # The code of a plugin may wait without end. Files are written whole or not.
        for worker in multiprocessing.active_children():
            worker.kill()
        raise
    finally:
        executor.pool.shutdown(cancel_futures=True)


def _end_with_command() -> None:
    """From now on, end this worker process when the command that started it ends.

    A worker waits for its next task without end, also if the command was killed.
    """
    if command := multiprocessing.parent_process():
        threading.Thread(target=_end_after, args=(command,), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


@contextmanager
def _dask(address: str) -> Iterator[TaskExecutor]:
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MissingExtra("--on dask://", "cluster") from error
    try:
        client = Client(f"tcp://{address}", timeout=_CONNECT_TIMEOUT)
    except OSError as error:
        raise NserbenchError(
            f"no Dask scheduler answers at {address}\n"
            "  start one with `dask scheduler`; it prints its address"
        ) from error
    # They would print the traceback of a lost connection beside our message.
    for name in ("distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with client:
        # Those that are there now; a scheduler may add and remove workers.
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        yield TaskExecutor(client.get_executor(), None, workers, died=(KilledWorker,))


@contextmanager
def _slurm(cluster: Mapping[str, object]) -> Iterator[TaskExecutor]:
    try:
        from dask_jobqueue.slurm import SLURMCluster
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MissingExtra("--on slurm", "cluster") from error
    # By default, a job with several cores would run several tasks at once.
    options: dict[str, Any] = {"processes": 1, **cluster}
    jobs = options.pop("jobs", None)
    if not isinstance(jobs, int) or jobs < 1:
        raise BadSettings(
            f"--on slurm: jobs must be a number of at least 1\n{_CLUSTER_HELP}"
        )
    _try_submitting(_job_script(options))
    with SLURMCluster(**options) as nodes, Client(nodes) as client:
        nodes.scale(jobs=jobs)
        threads = options["cores"] // options["processes"]
        pool, workers = client.get_executor(), jobs * options["processes"]
        yield TaskExecutor(pool, max(1, threads), workers, died=(KilledWorker,))


def _job_script(options: Mapping[str, Any]) -> str:
    """Return the script of a job as it will be submitted."""
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob

    of_cluster = inspect.signature(SLURMCluster).parameters
    of_job = {key: value for key, value in options.items() if key not in of_cluster}
    try:
        script: str = SLURMJob("tcp://scheduler", name="trial", **of_job).job_script()
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]  # the other lines are advice for Python
        raise BadSettings(f"--on slurm: {reason}\n{_CLUSTER_HELP}") from error
    return script


def _try_submitting(script: str) -> None:
    """Test whether Slurm accepts a job; Dask would wait for it without a message."""
    command = ["sbatch", "--test-only"]
    try:
        process = subprocess.run(
            command, input=script, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise NserbenchError(
            "--on slurm: there is no sbatch on this machine\n"
            "  run the command on a machine where you can submit jobs"
        ) from error
    if process.returncode != 0:
        raise NserbenchError(f"--on slurm: {process.stderr.strip()}\n{_CLUSTER_HELP}")
