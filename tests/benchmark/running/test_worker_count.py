"""How many workers a plan counts on, without starting any."""

import os

import pytest
import torch

from nserbench.benchmark.running.executors import WorkerCount, count_workers
from nserbench.errors import BadSettings, BadSpec

CLUSTER = {"jobs": 3, "cores": 8, "memory": "1GB"}


@pytest.mark.parametrize(("asked", "counted"), [(2, 2), (4, 4), (64, 4)])
def test_more_processes_than_cores_count_as_so_many_cores(
    monkeypatch: pytest.MonkeyPatch, asked: int, counted: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    found = count_workers(f"processes:{asked}", {}, "cpu")

    assert found == WorkerCount(counted, max(1, 4 // asked))


@pytest.mark.parametrize(("device", "counted"), [("cuda", 2), ("cuda:1", 1)])
def test_processes_on_gpus_count_as_so_many_gpus(
    monkeypatch: pytest.MonkeyPatch, device: str, counted: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")

    assert count_workers("processes:8", {}, device).count == counted


def test_the_jobs_of_slurm_are_counted_and_none_is_submitted() -> None:
    one = count_workers("slurm", CLUSTER, "cpu")
    two = count_workers("slurm", {**CLUSTER, "processes": 2}, "cpu")

    assert (one, two) == (WorkerCount(3, 8), WorkerCount(6, 4))


def test_workers_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(BadSpec, match="processes:N, dask"):
        count_workers("threads:2", {}, "cpu")
    with pytest.raises(BadSettings, match="cores and processes must be numbers"):
        count_workers("slurm", {"jobs": 3}, "cpu")
