"""The layer adapters of one group, run fast.

On a CPU each layer has a core of its own; on a GPU all layers take each step of their
GRUs together. The plain form is `ladapter.LayerAdapter.forward`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional as F

from nserbench.downstreams.kernels.gru_gpu import run_layers
from nserbench.downstreams.kernels.mask_dropout import draw_masks

if TYPE_CHECKING:
    from nserbench.downstreams.ladapter import LayerAdapter

T = TypeVar("T")


def adapt_layers(adapters: nn.ModuleList, states: Tensor, lengths: Tensor) -> Tensor:
    """Return the output of each layer's adapter, in the form that suits the device.

    Args:
        adapters: One for each layer.
        states: ``(layers, batch, frames, dim)``.
        lengths: ``(batch,)`` frames.

    Returns:
        ``(layers, batch, 2 * units)``.
    """
    seeds = [0] * len(states)
    if adapters.training:
        seeds = torch.randint(2**63 - 1, (len(states),)).tolist()
    adapt = adapt_on_cpu if states.device.type == "cpu" else adapt_on_gpu
    return adapt(adapters, states, lengths, seeds)


def adapt_on_gpu(
    adapters: nn.ModuleList, states: Tensor, lengths: Tensor, seeds: list[int]
) -> Tensor:
    """Run the adapters of all layers together; see `gru_gpu`.

    Args:
        adapters: One for each layer.
        states: ``(layers, batch, frames, dim)``.
        lengths: ``(batch,)`` frames.
        seeds: Seeds of the dropout. Only the first is used, for all layers.

    Returns:
        ``(layers, batch, 2 * units)``.
    """
    each = [cast("LayerAdapter", adapter) for adapter in adapters]
    grus = [adapter.gru for adapter in each]
    over_time = run_layers(grus, states, lengths).flatten(0, 1)
    training, dropout = adapters.training, each[0].dropout
    peak = _peak(over_time, dropout if training else 0.0, seeds[0])
    peaks = peak.relu().unflatten(0, states.shape[:2])
    normed = F.layer_norm(peaks, peaks.shape[-1:])
    scales, shifts = (
        torch.stack([getattr(adapter.norm, name) for adapter in each])[:, None]
        for name in ("weight", "bias")
    )
    return torch.addcmul(shifts, normed, scales)


def adapt_on_cpu(
    adapters: nn.ModuleList, states: Tensor, lengths: Tensor, seeds: list[int]
) -> Tensor:
    """Run the adapter of each layer on a core of its own, forward and backward.

    Layers do not depend on each other. If one recurrence were spread over the cores,
    they would wait for each other at every step.

    Args:
        adapters: One for each layer.
        states: ``(layers, batch, frames, dim)``.
        lengths: ``(batch,)`` frames.
        seeds: Seed of each layer's dropout.

    Returns:
        ``(layers, batch, 2 * units)``.
    """
    adapted: Tensor = _ThreadedAdapters.apply(  # type: ignore[no-untyped-call] # torch's
        adapters, states, lengths, seeds, *adapters.parameters()
    )
    return adapted


def adapt_layer(
    adapter: LayerAdapter, states: Tensor, lengths: Tensor, seed: int
) -> Tensor:
    """Run one adapter with the fast GRU and dropout.

    Args:
        states: ``(batch, frames, dim)``, its layer.
        lengths: ``(batch,)`` frames.
        seed: Seed of the dropout, so that layers may be adapted in any order.

    Returns:
        ``(batch, 2 * units)``.
    """
    over_time = adapter.gru(states, lengths)
    peak = _peak(over_time, adapter.dropout if adapter.training else 0.0, seed)
    adapted: Tensor = adapter.norm(peak.relu())
    return adapted


def _peak(over_time: Tensor, dropout: float, seed: int) -> Tensor:
    """Return the maximum over time after dropout, ``(batch, units)``.

    Padding need not be masked: the GRU is 0 there, and the ReLU that follows makes 0
    and less the same.
    """
    if dropout == 0.0:
        return over_time.amax(dim=1)
    mask = _mask(over_time, dropout, seed)
    with torch.no_grad():
        frame = (over_time * mask).max(dim=1, keepdim=True).indices
    # Only what is gathered is kept for the gradient, instead of every frame.
    return (over_time.gather(1, frame) * mask.gather(1, frame)).squeeze(dim=1)


def _mask(over_time: Tensor, dropout: float, seed: int) -> Tensor:
    """Draw 0 or ``1 / (1 - dropout)`` for each value."""
    generator = Generator(over_time.device).manual_seed(seed)
    if over_time.device.type != "cpu":
        shape, device = over_time.shape, over_time.device
        values = torch.rand(shape, device=device, generator=generator)
        return (values >= dropout) / (1 - dropout)
    batch, frames, units = over_time.shape
    return draw_masks(dropout, frames, (batch, units), generator).transpose(0, 1)


class _ThreadedAdapters(Function):
    """Adapters in threads, each with an autograd graph of its own."""

    @staticmethod
    def forward(
        ctx: Any,
        adapters: nn.ModuleList,
        states: Tensor,
        lengths: Tensor,
        seeds: list[int],
        *parameters: Tensor,
    ) -> Tensor:
        with_grad, to_states = any(ctx.needs_input_grad), ctx.needs_input_grad[1]
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu")

        def adapt(
            adapter: LayerAdapter, layer: Tensor, seed: int
        ) -> tuple[Tensor, ...]:
            layer = layer.detach().requires_grad_(to_states)
            # A thread starts with torch's defaults, not with those of its parent.
            with (
                torch.set_grad_enabled(with_grad),
                torch.autocast("cpu", dtype, enabled=autocast),
            ):
                adapted = adapt_layer(adapter, layer, lengths, seed)
            inputs = [layer] if to_states else []
            return adapted, *inputs, *adapter.parameters()

        ctx.graphs = _map_in_threads(adapt, adapters, states, seeds)
        return torch.stack([adapted.detach() for adapted, *_ in ctx.graphs])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        def differentiate(
            graph: tuple[Tensor, ...], grad_adapted: Tensor
        ) -> tuple[Tensor, ...]:
            adapted, *inputs = graph
            return torch.autograd.grad(adapted, inputs, grad_adapted)

        grads = _map_in_threads(differentiate, ctx.graphs, grad_output)
        grad_states = None
        if ctx.needs_input_grad[1]:
            grad_states = torch.stack([of_layer[0] for of_layer in grads])
            grads = [of_layer[1:] for of_layer in grads]
        flat = (grad for of_layer in grads for grad in of_layer)
        return None, grad_states, None, None, *flat


def _map_in_threads(function: Callable[..., T], *items: Iterable[Any]) -> list[T]:
    """Map a function over items in as many threads as torch has, one core for each."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "layer", torch.set_num_threads, (1,))
    try:
        with pool:
            return list(pool.map(function, *items))
    finally:
        # A thread's own setting is also what later threads start with.
        torch.set_num_threads(threads)
