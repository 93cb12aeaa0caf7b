"""Where cells are computed: processes of this machine, or the workers of a cluster."""

from __future__ import annotations

import inspect
import multiprocessing
import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from nserbench.errors import BadSettings, BadSpec, MissingExtra, NserbenchError

_PATIENCE = 10.0  # seconds that a scheduler has to answer
_TABLE = (
    "  [cluster] in nserbench.toml says what a job is, such as\n"
    '  jobs = 4, cores = 8, memory = "32GB", walltime = "08:00:00"'
)


@dataclass(frozen=True, slots=True)
class TaskExecutor:
    """Takes tasks.

    Attributes:
        executor: Who takes them.
        threads: That each task may use; None to leave that to the worker.
    """

    executor: Executor
    threads: int | None


@contextmanager
def open_engine(on: str, cluster: Mapping[str, object]) -> Iterator[TaskExecutor]:
    """Start what computes, and stop it again.

    Args:
        on: ``processes:N``, ``dask://HOST:PORT`` or ``slurm``.
        cluster: The ``[cluster]`` table of the settings: ``jobs``, and what
            `dask_jobqueue.SLURMCluster` takes. Used for ``slurm`` alone.

    Raises:
        BadSpec: if ``on`` is none of them.
        BadSettings: if the table lacks something, or has something unknown.
        MissingExtra: if Dask is not installed.
        NserbenchError: if there is no scheduler at the address, or Slurm is not here or
            refuses the jobs.
    """
    if found := re.fullmatch(r"processes:([1-9]\d*)", on):
        with _processes(int(found[1])) as engine:
            yield engine
    elif found := re.fullmatch(r"dask://([^/:]+:\d+)", on):
        with _dask(found[1]) as engine:
            yield engine
    elif on == "slurm":
        with _slurm(cluster) as engine:
            yield engine
    else:
        raise BadSpec(
            f"--on {on}: one of processes:N, dask://HOST:PORT and slurm is wanted"
        )


@contextmanager
def _processes(count: int) -> Iterator[TaskExecutor]:
    # A process that is forked inherits locks that threads of this one hold.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(count, context)
    try:
        yield TaskExecutor(executor, max(1, torch.get_num_threads() // count))
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _dask(address: str) -> Iterator[TaskExecutor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("--on dask://", "cluster") from error
    try:
        client = Client(f"tcp://{address}", timeout=_PATIENCE)
    except OSError as error:
        raise NserbenchError(
            f"no Dask scheduler answers at {address}\n"
            "  `dask scheduler` starts one, and tells its address"
        ) from error
    with client:
        yield TaskExecutor(client.get_executor(), None)


@contextmanager
def _slurm(cluster: Mapping[str, object]) -> Iterator[TaskExecutor]:
    try:
        from dask_jobqueue.slurm import SLURMCluster
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("--on slurm", "cluster") from error
    # Without it a job of several cores would take several tasks at once.
    options: dict[str, Any] = {"processes": 1, **cluster}
    jobs = options.pop("jobs", None)
    if not isinstance(jobs, int) or jobs < 1:
        raise BadSettings(f"--on slurm: how many jobs?\n{_TABLE}")
    _try_submitting(_job_script(options))
    with SLURMCluster(**options) as nodes, Client(nodes) as client:
        nodes.scale(jobs=jobs)
        threads = options["cores"] // options["processes"]
        yield TaskExecutor(client.get_executor(), max(1, threads))


def _job_script(options: Mapping[str, Any]) -> str:
    """Write a job as it will be submitted.

    Raises:
        BadSettings: if the options make none.
    """
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob

    of_all = inspect.signature(SLURMCluster).parameters
    own = {key: value for key, value in options.items() if key not in of_all}
    try:
        script: str = SLURMJob("tcp://scheduler", name="trial", **own).job_script()
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]  # then how to say it in Python
        raise BadSettings(f"--on slurm: {reason}\n{_TABLE}") from error
    return script


def _try_submitting(script: str) -> None:
    """Let Slurm say what is wrong with a job; Dask would wait for it without a word.

    Raises:
        NserbenchError: if Slurm is not here, or refuses it.
    """
    command = ["sbatch", "--test-only"]
    try:
        said = subprocess.run(
            command, input=script, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise NserbenchError(
            "--on slurm: there is no sbatch on this machine\n"
            "  type the command where you submit jobs"
        ) from error
    if said.returncode != 0:
        raise NserbenchError(f"--on slurm: {said.stderr.strip()}\n{_TABLE}")
