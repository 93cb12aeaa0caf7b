"""Return freed memory to the system, where glibc would keep it.

glibc has pools of memory, in general one for each thread, and keeps freed blocks of up
to 32 MB there. Batches of frames have another size in each step, so that the tensors of
a step seldom fit into the gaps that those of earlier steps left, and the pools grow.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_LARGEST_BLOCK = 4 * 2**20 * ctypes.sizeof(ctypes.c_long)
"""Bytes of the largest block that a pool has: glibc's own limit."""
_END_KEPT = 4 * 2**20
"""Bytes of free memory at the end of a pool from which on the pool is cut.

`malloc_trim` returns what is free inside the pools of threads, but not at their ends.
"""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


@contextmanager
def freed_memory_returned() -> Iterator[None]:
    """Return the memory that is free at the end to the system.

    Only glibc keeps it; with any other C library nothing happens.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    # With one of the two set, glibc no longer adapts the other by itself.
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    libc.mallopt(_TRIM_THRESHOLD, _END_KEPT)
    try:
        yield
    finally:
        libc.malloc_trim(0)
        libc.mallopt(
            _TRIM_THRESHOLD, 2 * _LARGEST_BLOCK
        )  # what glibc itself arrives at


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return glibc if this process uses it, else None."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
