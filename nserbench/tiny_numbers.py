"""Numbers so small that a processor computes with them slowly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_TINY = 2.0**-140
"""A denormal number: the smallest others in float32 are 2 to the power of -126."""


@contextmanager
def tiny_numbers_are_zero() -> Iterator[None]:
    """Compute with 0 in place of denormal numbers, in this thread.

    The gradients of a head that has learned its training set become that small, and a
    step on them takes up to seven times as long (Intel Xeon). Weights do not change:
    Adam divides a gradient by at least 1e-8.
    """
    before = flushes()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def flushes() -> bool:
    """Return whether this thread computes with 0 in place of denormal numbers."""
    return torch.tensor(_TINY, dtype=torch.float32, device="cpu").item() == 0.0
