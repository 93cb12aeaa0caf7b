"""Dropout whose mask the trainer can set."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

_HALF = 0.5
_BITS = 8
_MASKS = (((torch.arange(2**_BITS)[:, None] >> torch.arange(_BITS)) & 1) * 2).float()
"""Row ``n`` holds the 8 bits of ``n`` as 0 and 2; the table fits into the cache."""


class Dropout(nn.Module):
    """Zeroes values in training, and scales the others so that the mean stays.

    Heads that are trained together need random numbers of their own, while
    `torch.nn.Dropout` draws from a generator that all share. So a trainer may put a
    mask into the buffer ``mask``; without one this is `torch.nn.Dropout`.

    Args:
        p: Probability of dropping a value.
        width: Width of its input, ``(batch, width)``.

    Attributes:
        mask: A mask of `draw_masks`, or None.
        overwrites: Whether the result overwrites the mask, which must then be drawn
            again each time. New memory would displace what is read next from the
            processor's cache. Only for values that need no gradient.
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
        """Return the arguments, for ``repr``."""
        return f"p={self.p}, width={self.width}"


def draw_masks(
    p: float, count: int, shape: tuple[int, int], generator: Generator
) -> Tensor:
    """Draw dropout masks: 0 where a value is dropped, else ``1 / (1 - p)``.

    Args:
        p: Probability of dropping a value.
        count: Number of masks, one for each step.
        shape: Shape of one mask, ``(batch, width)``.
        generator: Source of the random numbers. Masks are the same whether they are
            drawn in one call or in several.

    Returns:
        ``(count, *shape)``, float32.
    """
    return to_masks(draw(p, count, shape, generator), p, shape)


def draw(p: float, count: int, shape: tuple[int, int], generator: Generator) -> Tensor:
    """Draw the random bits for `to_masks`; the arguments are those of `draw_masks`.

    At ``p`` of 0.5, each of the 64 bits of a random number decides one value, and a
    table turns bits into factors. That takes a tenth of the time of torch's dropout.

    Returns:
        ``(count, ...)``: bytes of eight values each, or one boolean for each value.
    """
    rows, width = shape
    if p != _HALF or rows * width % 64:
        draws = [torch.rand(rows, width, generator=generator) for _ in range(count)]
        return torch.stack(draws) >= p
    bits = torch.empty(count, rows * width // 64, dtype=torch.int64)
    return bits.random_(-(2**63), None, generator=generator).view(torch.uint8)


def to_masks(
    bits: Tensor, p: float, shape: tuple[int, int], out: Tensor | None = None
) -> Tensor:
    """Turn what `draw` returned into masks, ``(count, *shape)``.

    Args:
        bits: The result of `draw`.
        out: Memory to write the masks to; new memory if None.
    """
    if out is None:
        out = bits.new_empty(len(bits), *shape, dtype=torch.float32)
    if bits.dtype == torch.bool:
        return torch.div(bits, 1 - p, out=out)
    rows, table = bits.flatten().int(), _MASKS.to(bits.device)
    torch.index_select(table, 0, rows, out=out.view(-1, _BITS))
    return out
