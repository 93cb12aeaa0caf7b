"""Linear layers of stacked heads, whose gradients need no copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

WIDE = 2**19
"""Fewest weights of a layer in a stack for which `WideLinear` is faster.

A call takes 0.2 ms more than one of torch, a copy of so many weights about as much
(Intel Xeon).
"""


class WideLinear(TorchFunctionMode):
    """Computes wide linear layers inside `torch.func.vmap` by `_StackedLinear`.

    torch computes the gradient of a stack of weights transposed, and copies it at each
    step, which takes half the time of a wide layer. Here the gradient has the layout of
    the weights, and the same bits.

    Args:
        heads: Number of heads in the stack.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self._least = WIDE / heads

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, or its replacement if it is a wide linear layer."""
        if func is linear and not kwargs and self._is_wide(*args):
            return _Linear.apply(*args)  # type: ignore[no-untyped-call] # torch's
        return func(*args, **(kwargs or {}))

    def _is_wide(
        self, values: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> bool:
        fits = values.ndim == weight.ndim and bias is not None
        return fits and weight.numel() >= self._least


class _Linear(Function):
    """A linear layer of one head, ``(batch, inputs)``, as `vmap` sees it."""

    @staticmethod
    def forward(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return linear(values, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Save nothing: the gradients are those of `_StackedLinear`."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *given: Tensor) -> tuple[Tensor, int]:
        if None in in_dims:
            return torch.vmap(linear, in_dims)(*given), 0
        stacks = [one.movedim(at, 0) for one, at in zip(given, in_dims, strict=True)]
        return _StackedLinear.apply(*stacks), 0  # type: ignore[no-untyped-call] # torch's


class _StackedLinear(Function):
    """Linear layers side by side: ``(heads, batch, inputs)`` to its outputs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight)
        return torch.bmm(values, weight.mT) + bias[:, None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        values, weight = ctx.saved_tensors
        to_values = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return to_values, torch.bmm(gradient.mT, values), gradient.sum(1)
