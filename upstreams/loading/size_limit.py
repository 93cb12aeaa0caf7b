"""Refuse a model that is far larger than its weights, before it takes the memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nserbench.byte_sizes import size
from nserbench.errors import CheckpointMissing

ROOM = 64 << 20
"""Bytes that a model may have beyond its weights, such as tables of positions."""
TIMES = 8
"""A model may have so many times the bytes of its weights, which may be float8."""
_OVERHEAD = 16_384
"""Bytes of a module besides its weights. They bound the number of layers."""
_MAKERS = frozenset(
    {torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones}
    | {torch.rand, torch.randn, torch.zeros}
)


class SizeLimit(TorchFunctionMode):
    """In its ``with`` block, a model may be built that fits the size of its weights.

    A configuration may ask for layers of any size and number. Each tensor is counted
    before its memory is taken.

    Args:
        files: Files of the weights.

    Raises:
        CheckpointMissing: in the block, as soon as the tensors are larger than the
            weights allow.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self._files = files
        self._weights = sum(file.stat().st_size for file in files)
        self._left = ROOM + TIMES * self._weights

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, and count the tensor that it makes."""
        named = dict(kwargs or {})
        if func in _MAKERS:
            planned = {
                key: value
                for key, value in named.items()
                if key not in ("generator", "out", "pin_memory")
            }
            self._count(func(*args, **{**planned, "device": "meta"}))
        return func(*args, **named)

    def _count(self, planned: Tensor) -> None:
        self._left -= planned.nelement() * planned.element_size() + _OVERHEAD
        if self._left < 0:
            raise CheckpointMissing(
                f"the configuration of {self._files[0].parent} describes a model that "
                f"is far larger than its weights, which have {size(self._weights)}\n"
                "  wanted: the configuration of these weights"
            )
