"""Dropout whose mask a trainer may draw."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

_HALF = 0.5
_BITS = 8
_MASKS = (((torch.arange(2**_BITS)[:, None] >> torch.arange(_BITS)) & 1) * 2).float()
"""Row ``n`` holds the 8 bits of ``n`` as 0 and 2; so few rows stay in the cache."""


class Dropout(nn.Module):
    """Zeroes values in training, and scales the others so that their mean stays.

    A head that is trained beside others has to keep its own chance, while
    `torch.nn.Dropout` draws from a generator that all share. So a trainer may put a
    mask into the buffer ``mask``; without one this is `torch.nn.Dropout`.

    Args:
        p: Probability of dropping a value.
        width: Of what it drops from, ``(batch, width)``.

    Attributes:
        mask: As `draw_masks` gives them.
        overwrites: Whether to put the result where the mask is, which must then be
            drawn anew each time. Fresh memory would drive out of the processor's cache
            what is read next. Only for values that no gradient passes to.
    """

    mask: Tensor | None
    overwrites = False

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
        return self.mask.mul_(values) if self.overwrites else values * self.mask

    def extra_repr(self) -> str:
        """Say what it was made with."""
        return f"p={self.p}, width={self.width}"


def draw_masks(
    p: float, count: int, shape: tuple[int, int], chance: Generator
) -> Tensor:
    """Draw masks for as many steps: 0 where a value is dropped, else ``1 / (1 - p)``.

    Args:
        p: Probability of dropping a value.
        count: Steps.
        shape: Of one mask, ``(batch, width)``.
        chance: Where the numbers come from. The same ``count`` steps, drawn in one
            call or in several, are the same masks.

    Returns:
        ``(count, *shape)``, float32.
    """
    return to_masks(draw(p, count, shape, chance), p, shape)


def draw(p: float, count: int, shape: tuple[int, int], chance: Generator) -> Tensor:
    """Draw what `to_masks` makes masks of; the arguments are those of `draw_masks`.

    At one half, a random number gives a bit to each of 64 values and a table turns
    bits into factors: a tenth of the time of torch's own.

    Returns:
        ``(count, ...)``, a byte for eight values, or a truth value for each.
    """
    rows, width = shape
    if p != _HALF or rows * width % 64:
        draws = [torch.rand(rows, width, generator=chance) for _ in range(count)]
        return torch.stack(draws) >= p
    drawn = torch.empty(count, rows * width // 64, dtype=torch.int64)
    return drawn.random_(-(2**63), None, generator=chance).view(torch.uint8)


def to_masks(
    drawn: Tensor, p: float, shape: tuple[int, int], out: Tensor | None = None
) -> Tensor:
    """Make masks, ``(count, *shape)``, of what `draw` gave for as many steps.

    Args:
        drawn: What it gave.
        p: As it was given there.
        shape: As it was given there.
        out: Where to put them, of their shape; new memory unless given.
    """
    found = drawn.new_empty(len(drawn), *shape, dtype=torch.float32)
    found = found if out is None else out
    if drawn.dtype == torch.bool:
        return torch.div(drawn, 1 - p, out=found)
    places, table = drawn.flatten().int(), _MASKS.to(drawn.device)
    torch.index_select(table, 0, places, out=found.view(-1, _BITS))
    return found
