"""The weights of heads of one shape, stacked, so that one call trains them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from nserbench.benchmark.training.adam import Adam
from nserbench.benchmark.training.stacked_linear import WideLinear
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.kernels.mask_dropout import Dropout


class _FunctionalHead(nn.Module):
    """A head with `PooledHead.fuse` as its forward pass, as torch.func needs it."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, pooled: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.head.fuse(pooled)  # type: ignore[operator]
        return logits


class StackedWeights:
    """The weights of heads of one shape, stacked, with their optimiser.

    Args:
        example: Means over time as one head reads them, ``(layers, 1, dim)`` by group.

    Attributes:
        dropouts: The dropouts of a head, by the name of their mask.
    """

    def __init__(
        self,
        heads: Sequence[nn.Module],
        example: Mapping[str, Tensor],
        recipe: Recipe,
        device: str,
    ) -> None:
        self._recipe, self._device = recipe, device
        self._heads = [_FunctionalHead(head.to(device)).train() for head in heads]
        modules = self._heads[0].named_modules()
        self.dropouts = {
            f"{name}.mask": module
            for name, module in modules
            if isinstance(module, Dropout)
        }
        weights, buffers = stack_module_state(list(self._heads))
        self._buffers = dict(buffers)
        self._set_weights(weights)
        self._let_dropouts_overwrite(example)

    def logits(self, pooled: dict[str, Tensor], masks: Sequence[Tensor]) -> Tensor:
        """Return the logits of every head, ``(heads, batch, classes)``."""
        drawn = dict(zip(self.dropouts, masks, strict=True))
        state = {**self._weights, **self._buffers, **drawn}
        with WideLinear(len(self._heads)):
            return vmap(self._forward)(state, pooled)

    def step(self, losses: Tensor, factors: Tensor) -> None:
        """Take a step of Adam."""
        self._optimiser.zero_grad(set_to_none=True)
        # No weight is shared, so each head's gradient is that of its own loss.
        losses.sum().backward()
        if self._recipe.schedule == "constant":
            self._optimiser.step()
            return
        with torch.no_grad():
            for value, start in zip(self._weights.values(), self._starts, strict=True):
                start.copy_(value)
            self._optimiser.step()
            # In place: what a wide head costs is reading and writing its weights.
            for value, start in zip(self._weights.values(), self._starts, strict=True):
                factor = factors.view(-1, *[1] * (value.ndim - 1))
                value.sub_(start).mul_(factor).add_(start)

    def grad_norms(self) -> Tensor:
        """Return the gradient norm of each head, ``(heads,)``."""
        gradients = [value.grad for value in self._weights.values()]
        squares = [
            gradient.reshape(len(gradient), -1).square().sum(1)
            for gradient in gradients
            if gradient is not None
        ]
        return torch.stack(squares).sum(0).sqrt()

    def copy_to_head(self, number: int) -> None:
        """Copy the present weights of a head into its module."""
        parameters = dict(self._heads[number].named_parameters())
        with torch.no_grad():
            for name, value in self._weights.items():
                parameters[name].copy_(value[number])

    def keep(self, count: int) -> None:
        """Keep the first heads and their optimiser state, and drop the others."""
        before = {name: self._optimiser.state[w] for name, w in self._weights.items()}
        self._set_weights({name: w[:count] for name, w in self._weights.items()})
        self._buffers = {name: value[:count] for name, value in self._buffers.items()}
        for name, weight in self._weights.items():
            self._optimiser.state[weight] = {
                key: value[:count].clone() if value.ndim else value
                for key, value in before[name].items()
            }

    def _set_weights(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = {
            name: value.detach().clone().requires_grad_()
            for name, value in weights.items()
        }
        self._starts = [torch.empty_like(one) for one in self._weights.values()]
        self._optimiser = Adam(
            self._weights.values(),
            lr=self._recipe.learning_rate,
            fused=True,
            capturable=self._device.startswith("cuda"),
        )

    def _let_dropouts_overwrite(self, example: Mapping[str, Tensor]) -> None:
        """Let dropouts overwrite their masks if their input needs no gradient."""
        head = self._heads[0]
        hooks = [
            dropout.register_forward_pre_hook(_set_overwrites)
            for dropout in self.dropouts.values()
        ]
        head.eval()(example)
        head.train()
        for hook in hooks:
            hook.remove()

    def _forward(self, state: dict[str, Tensor], pooled: dict[str, Tensor]) -> Tensor:
        logits: Tensor = functional_call(self._heads[0], state, (pooled,))
        return logits


def _set_overwrites(dropout: nn.Module, inputs: tuple[Tensor]) -> None:
    dropout.overwrites = not inputs[0].requires_grad  # type: ignore[assignment]
