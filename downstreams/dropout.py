"""Dropout whose mask a trainer may draw."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

_HALF = 0.5
_BITS = 16
_MASKS = (((torch.arange(2**_BITS)[:, None] >> torch.arange(_BITS)) & 1) * 2).float()
"""Row ``n`` holds the 16 bits of ``n`` as 0 and 2."""


class Dropout(nn.Module):
    """Zeroes values in training, and scales the others so that their mean stays.

    A head that is trained beside others has to keep its own chance, while
    `torch.nn.Dropout` draws from a generator that all share. So a trainer may put a
    mask into the buffer ``mask``; without one this is `torch.nn.Dropout`.

    Args:
        p: Probability of dropping a value.
        width: Of what it drops from, ``(batch, width)``.
    """

    mask: Tensor | None

    def __init__(self, p: float, width: int) -> None:
        super().__init__()
        self.p = p
        self.width = width
        self.register_buffer("mask", None, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Drop from ``(batch, width)``."""
        if not self.training or self.p == 0.0:
            return values
        if self.mask is None:
            return F.dropout(values, self.p)
        return values * self.mask

    def extra_repr(self) -> str:
        """Say what it was made with."""
        return f"p={self.p}, width={self.width}"


def draw_masks(
    p: float, count: int, shape: tuple[int, int], chance: Generator
) -> Tensor:
    """Draw masks for as many steps: 0 where a value is dropped, else ``1 / (1 - p)``.

    At one half, a random number gives a bit to each of 64 values and a table turns
    bits into factors: a tenth of the time of torch's own.

    Args:
        p: Probability of dropping a value.
        count: Steps.
        shape: Of one mask, ``(batch, width)``.
        chance: Where the numbers come from. The same ``count`` steps, drawn in one
            call or in several, are the same masks.

    Returns:
        ``(count, *shape)``, float32.
    """
    rows, width = shape
    if p != _HALF or rows * width % 64:
        draws = [torch.rand(rows, width, generator=chance) for _ in range(count)]
        return (torch.stack(draws) >= p).float() / (1 - p)
    drawn = torch.empty(count, rows * width // 64, dtype=torch.int64)
    drawn.random_(-(2**63), None, generator=chance)
    places = drawn.view(torch.int16).int() & (2**_BITS - 1)
    return _MASKS.index_select(0, places.flatten()).view(count, rows, width)
