"""Executors that run cells: processes of this machine, or workers of a cluster."""

from __future__ import annotations

import inspect
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import torch

from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.store.file_facts import to_stderr
from nserbench.errors import BadSettings, BadSpec, MissingExtra, NserbenchError
from nserbench.plain_data import is_whole
from nserbench.settings import refuse_unknown

_CONNECT_TIMEOUT = 10.0  # seconds to wait for the answer of a scheduler
_CLUSTER_HELP = (
    "  describe a job under [cluster] in the settings file, for example\n"
    '  jobs = 4, cores = 8, memory = "32GB", walltime = "08:00:00"'
)
_COUNTS = ("jobs", "minimum", "maximum", "paths")
"""Entries of ``[cluster]`` that are ours, not Dask's."""
_PROCESSES = re.compile(r"processes:([1-9][0-9]{0,4})")
_DASK = re.compile(r"dask://([^/:]+:[0-9]{1,5})")
_GPU = "GPU"
"""Resource that a Dask worker announces: ``dask worker --resources GPU=1``."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"


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
def open_executor(
    on: str, cluster: Mapping[str, object], device: str = "auto"
) -> Iterator[TaskExecutor]:
    """Start workers, and stop them at the end.

    Each of the processes sees one GPU, in turn, unless the device has a number, as
    ``cuda:1``. If workers of Dask announce the resource ``GPU``, each task takes one.

    Args:
        on: ``processes:N``, ``dask://HOST:PORT`` or ``slurm``.
        cluster: The ``[cluster]`` table of the settings: ``jobs``, or ``minimum`` and
            ``maximum``, and the arguments of `dask_jobqueue.SLURMCluster`. Used for
            ``slurm`` alone.
        device: Device as typed.

    Raises:
        BadSpec: if ``on`` is none of these.
        BadSettings: if the table lacks a key or has an unknown one.
        MissingExtra: if Dask is not installed.
        NserbenchError: if no scheduler answers at the address, Slurm is not installed,
            or Slurm refuses the jobs.
    """
    if match := _PROCESSES.fullmatch(on):
        opened = _processes(int(match[1]), [] if ":" in device else _visible_gpus())
    elif match := _DASK.fullmatch(on):
        opened = _dask(match[1])
    elif on == "slurm":
        opened = _slurm(cluster)
    else:
        raise _unknown(on)
    with opened as executor:
        yield executor


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """How many workers compute at once, each at its full speed.

    Attributes:
        count: Number of workers; None for this process alone.
        threads: Threads of each; None if the worker decides.
    """

    count: int | None
    threads: int | None


def count_workers(on: str, cluster: Mapping[str, object], device: str) -> WorkerCount:
    """Count the workers that `open_executor` would start; it starts none.

    More processes than cores, or than GPUs if they compute there, count as so many.

    Args:
        on: As for `open_executor`.
        cluster: As for `open_executor`.
        device: Device that a worker computes on, ``cpu`` or ``cuda``.

    Raises:
        BadSpec: if ``on`` is none of those that `open_executor` takes.
        BadSettings: if the table has no number of jobs or no ``cores``.
        MissingExtra: if Dask is not installed.
        NserbenchError: if no scheduler answers at the address.
    """
    if match := _PROCESSES.fullmatch(on):
        count = int(match[1])
        gpus = 1 if ":" in device else len(_visible_gpus())
        places = gpus if device.startswith("cuda") else os.cpu_count() or 1
        return WorkerCount(min(count, places), _threads(count))
    if match := _DASK.fullmatch(on):
        with _dask(match[1]) as executor:
            return WorkerCount(executor.workers, executor.threads)
    if on != "slurm":
        raise _unknown(on)
    options: dict[str, Any] = {"processes": 1, **cluster}
    _, most = _job_counts(options)
    given = options.get("cores"), options["processes"]
    if not all(is_whole(number, 1) for number in given):
        raise BadSettings(
            f"--on slurm: cores and processes must be numbers\n{_CLUSTER_HELP}"
        )
    cores, processes = given
    return WorkerCount(most * processes, max(1, cores // processes))


def _unknown(on: str) -> BadSpec:
    return BadSpec(f"--on {on}: use processes:N, dask://HOST:PORT or slurm")


def _threads(processes: int) -> int:
    """Return the threads of each of some processes on this machine."""
    return max(1, torch.get_num_threads() // processes)


@contextmanager
def _processes(count: int, gpus: Sequence[str]) -> Iterator[TaskExecutor]:
    context = _process_context()
    started = context.Value("i", 0)
    begin = partial(_begin_process, started, gpus, dict(os.environ))
    new_pool = partial(ProcessPoolExecutor, count, context, begin)
    executor = TaskExecutor(new_pool(), _threads(count), count, new_pool, count)
    try:
        yield executor
    except KeyboardInterrupt:
        # The code of a plugin may wait without end. Files are written whole or not.
        for worker in multiprocessing.active_children():
            worker.kill()
        raise
    finally:
        executor.pool.shutdown(cancel_futures=True)


def _process_context() -> BaseContext:
    """Return how worker processes start.

    A fork of this process would inherit locks that its threads hold. On Linux workers
    are forks of a server that has done nothing but import what they need. Elsewhere
    each imports it anew.
    """
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nserbench.benchmark.running.workers"])
    return context


def _visible_gpus() -> list[str]:
    """Return the GPUs of this process, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if (named := os.environ.get(_VISIBLE)) is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def _begin_process(
    started: Synchronized[int], gpus: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Prepare a worker process: choose its GPU, and end it with the command.

    A worker waits for its next task without end, also if the command was killed.

    Args:
        started: Number of workers that have started.
        gpus: The GPUs to choose from, in turn.
        environment: Environment variables of the command. A worker has those of the
            process that started the server, which may have changed since.
    """
    os.environ.clear()
    os.environ.update(environment)
    if gpus:
        with started.get_lock():
            os.environ[_VISIBLE] = gpus[started.value % len(gpus)]
            started.value += 1
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
        there = client.scheduler_info(n_workers=-1)["workers"].values()
        if not there:
            to_stderr(
                f"the Dask scheduler at {address} has no workers: tasks wait for the "
                f"first; to start one: `dask worker {address}`"
            )
        gpus = int(sum(worker.get("resources", {}).get(_GPU, 0) for worker in there))
        needs = {"resources": {_GPU: 1}} if gpus else {}
        pool = client.get_executor(pure=False, **needs)
        yield TaskExecutor(pool, None, gpus or max(1, len(there)), died=(KilledWorker,))


@contextmanager
def _slurm(cluster: Mapping[str, object]) -> Iterator[TaskExecutor]:
    try:
        # The import makes Ctrl-C end the process with exit code 0.
        with own_state():
            from dask_jobqueue.slurm import SLURMCluster
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MissingExtra("--on slurm", "cluster") from error
    # By default, a job with several cores would run several tasks at once.
    options: dict[str, Any] = {"processes": 1, **cluster}
    options.pop("paths", None)  # see `Relocation`
    fewest, most = _job_counts(options)
    _try_submitting(_job_script(options))
    with SLURMCluster(**options) as nodes, Client(nodes) as client:
        if fewest == most:
            nodes.scale(jobs=most)
        else:
            nodes.adapt(minimum_jobs=fewest, maximum_jobs=most)
        threads = options["cores"] // options["processes"]
        pool, workers = client.get_executor(pure=False), most * options["processes"]
        yield TaskExecutor(pool, max(1, threads), workers, died=(KilledWorker,))


def _job_counts(options: dict[str, Any]) -> tuple[int, int]:
    """Take the fewest and the most jobs out of the options of a cluster.

    Raises:
        BadSettings: if they are not given, or are no such numbers.
    """
    jobs = options.pop("jobs", None)
    fewest, most = options.pop("minimum", jobs), options.pop("maximum", jobs)
    given = [is_whole(count, least) for count, least in ((fewest, 0), (most, 1))]
    if not all(given) or fewest > most:
        raise BadSettings(
            "--on slurm: jobs must be a number of at least 1, or minimum and maximum "
            f"be numbers of jobs\n{_CLUSTER_HELP}"
        )
    return fewest, most


def _job_script(options: Mapping[str, Any]) -> str:
    """Return the script of a job as it will be submitted."""
    from dask_jobqueue.core import Job
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob

    of_cluster = inspect.signature(SLURMCluster).parameters
    own = [*inspect.signature(SLURMJob).parameters, *inspect.signature(Job).parameters]
    known = {*own, *of_cluster, *_COUNTS} - {"scheduler", "base_class_kwargs"}
    refuse_unknown(options, known, "--on slurm: [cluster] has the unknown entry")
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
