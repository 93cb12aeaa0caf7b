"""Freed memory goes back to the system after each pass over frames."""

from __future__ import annotations

import ctypes
import platform
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from nserbench.benchmark.training import freed_memory
from nserbench.benchmark.training.freed_memory import freed_memory_returned

STATM = Path("/proc/self/statm")
MB = 2**20


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def last_of(count: int, size: int) -> torch.Tensor:
    """Return the last of some blocks of ``size`` bytes, and free the others."""
    return [torch.ones(size // 4) for _ in range(count)][-1]


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not STATM.exists(),
    reason="only glibc keeps freed memory, and only Linux says how much is in use",
)
def test_memory_that_a_thread_freed_is_returned() -> None:
    before = resident()

    with freed_memory_returned(), ThreadPoolExecutor(1) as thread:
        last = thread.submit(last_of, 50, MB).result()

    assert len(last) == MB // 4
    assert resident() < before + 20 * MB


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)
    freed_memory._glibc.cache_clear()
    entered = False

    with freed_memory_returned():
        entered = True

    freed_memory._glibc.cache_clear()
    assert entered
