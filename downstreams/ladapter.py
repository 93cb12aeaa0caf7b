"""The layer adapter of Shi et al.: a BiGRU for each layer, then a weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import torch
from torch import Generator, Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.downstreams.kernels.gru_gpu import run_grouped
from nserbench.downstreams.kernels.mask_dropout import draw_masks
from nserbench.downstreams.layer_choice import fused_layers, take
from nserbench.upstreams.base import Groups, LayeredFeatures

T = TypeVar("T")

UNITS = 256
"""For each direction, so that an adapter gives 512 (Sec. IV-C)."""


class LayerAdapter(nn.Module):
    """BiGRU, dropout, maximum over valid frames, ReLU, layer norm (Sec. III-C).

    The paper writes "a normalization layer"; we take layer norm, since batch norm
    would tie an utterance to its batch. Eqs. 5 and 6 leave out ReLU and norm; we keep
    to the text, which has both.

    Args:
        dim: Width of the layer.
        dropout: Probability of dropping a value of the BiGRU's output.
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.gru = BiGRU(dim, UNITS)
        self.dropout = dropout
        self.norm = nn.LayerNorm(2 * UNITS)

    def forward(self, states: Tensor, lengths: Tensor, seed: int) -> Tensor:
        """Adapt one layer, ``(batch, frames, dim)``, to ``(batch, 2 * UNITS)``.

        Args:
            states: The layer.
            lengths: ``(batch,)`` frames.
            seed: Of the dropout, so that layers may be adapted in any order.
        """
        over_time = self.gru(states, lengths)
        if self.training and self.dropout > 0:
            peak = _dropped_peak(over_time, _mask(over_time, self.dropout, seed))
        else:
            peak = over_time.amax(dim=1)
        # The BiGRU gives 0 in padding, which the ReLU makes as good as no frame.
        adapted: Tensor = self.norm(peak.relu())
        return adapted


def _mask(over_time: Tensor, dropout: float, seed: int) -> Tensor:
    """Draw 0 or ``1 / (1 - dropout)`` for each value."""
    chance = Generator(over_time.device).manual_seed(seed)
    if over_time.device.type != "cpu":
        shape = over_time.shape
        drawn = torch.rand(shape, device=over_time.device, generator=chance)
        return (drawn >= dropout) / (1 - dropout)
    batch, frames, units = over_time.shape
    return draw_masks(dropout, frames, (batch, units), chance).transpose(0, 1)


def _dropped_peak(over_time: Tensor, mask: Tensor) -> Tensor:
    """Give the maximum over time of ``over_time * mask``, ``(batch, units)``."""
    with torch.no_grad():
        place = (over_time * mask).max(dim=1, keepdim=True).indices
    # Only what is gathered is kept for the gradient, instead of every frame.
    return (over_time.gather(1, place) * mask.gather(1, place)).squeeze(dim=1)


class GroupAdapter(nn.Module):
    """The adapters of one group and their weighted sum: one of the sums of Eq. 7.

    The weights start equal and sum to 1. Eq. 7 has no softmax, so they are free unless
    it is asked for.

    Args:
        layers: How many layers there are.
        dim: Width of every layer.
        dropout: Probability of dropping a value of a BiGRU's output.
        softmax: Whether the weights pass through a softmax over the group.
    """

    def __init__(self, layers: int, dim: int, dropout: float, softmax: bool) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(LayerAdapter(dim, dropout) for _ in range(layers))
        self.softmax = softmax
        self.scores = nn.Parameter(torch.full((layers,), 1 / layers))

    def weights(self) -> Tensor:
        """Give the ``(layers,)`` weights."""
        return self.scores.softmax(dim=0) if self.softmax else self.scores

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Fuse ``(layers, batch, frames, dim)`` to ``(batch, 2 * UNITS)``."""
        seeds = [0] * len(states)
        if self.training:
            seeds = torch.randint(2**63 - 1, (len(states),)).tolist()
        adapt = adapt_apart if states.device.type == "cpu" else adapt_grouped
        adapted = adapt(self.adapters, states, lengths, seeds)
        return torch.einsum("l,lbu->bu", self.weights(), adapted)


def adapt_grouped(
    adapters: nn.ModuleList, states: Tensor, lengths: Tensor, seeds: list[int]
) -> Tensor:
    """Adapt layers, ``(layers, batch, frames, dim)``, each with its own adapter.

    All layers take each step of their recurrences together; see `grouped`.

    Args:
        adapters: One for each layer.
        states: The layers.
        lengths: ``(batch,)`` frames.
        seeds: Of each layer's dropout. Only the first is used, for all of them.

    Returns:
        ``(layers, batch, 2 * UNITS)``.
    """
    each = [cast(LayerAdapter, one) for one in adapters]
    over_time = run_grouped([one.gru for one in each], states, lengths).flatten(0, 1)
    if adapters.training and each[0].dropout > 0:
        peak = _dropped_peak(over_time, _mask(over_time, each[0].dropout, seeds[0]))
    else:
        peak = over_time.amax(dim=1)
    normed = F.layer_norm(peak.relu().unflatten(0, states.shape[:2]), (2 * UNITS,))
    scales, shifts = (
        torch.stack([getattr(one.norm, name) for one in each])[:, None]
        for name in ("weight", "bias")
    )
    return torch.addcmul(shifts, normed, scales)


def adapt_apart(
    adapters: nn.ModuleList, states: Tensor, lengths: Tensor, seeds: list[int]
) -> Tensor:
    """Do the same with a core for each layer, in both directions of the gradient.

    Here each layer's dropout has its own seed.

    Layers need nothing of each other, while the cores wait for each other at every
    step of a recurrence that is spread over them.
    """
    adapted: Tensor = _ThreadedAdapters.apply(  # type: ignore[no-untyped-call] # torch's
        adapters, states, lengths, seeds, *adapters.parameters()
    )
    return adapted


class _ThreadedAdapters(Function):
    """Adapters in threads, each with a graph of its own."""

    @staticmethod
    def forward(
        ctx: Any,
        adapters: nn.ModuleList,
        states: Tensor,
        lengths: Tensor,
        seeds: list[int],
        *parameters: Tensor,
    ) -> Tensor:
        learns, below = any(ctx.needs_input_grad), ctx.needs_input_grad[1]
        narrow = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def adapt(adapter: nn.Module, layer: Tensor, seed: int) -> tuple[Tensor, ...]:
            layer = layer.detach().requires_grad_(below)
            # A thread starts with torch's defaults, not with its maker's.
            with (
                torch.set_grad_enabled(learns),
                torch.autocast("cpu", narrow[1], enabled=narrow[0]),
            ):
                adapted = adapter(layer, lengths, seed)
            learned = [layer] if below else []
            return adapted, *learned, *adapter.parameters()

        ctx.graphs = on_every_core(adapt, adapters, states, seeds)
        return torch.stack([adapted.detach() for adapted, *_ in ctx.graphs])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        def back(graph: tuple[Tensor, ...], above: Tensor) -> tuple[Tensor, ...]:
            adapted, *learned = graph
            return torch.autograd.grad(adapted, learned, above)

        found = on_every_core(back, ctx.graphs, above)
        below = None
        if ctx.needs_input_grad[1]:
            below = torch.stack([gradients[0] for gradients in found])
            found = [gradients[1:] for gradients in found]
        return None, below, None, None, *(one for part in found for one in part)


def on_every_core(work: Callable[..., T], *items: Iterable[Any]) -> list[T]:
    """Map a function over items in as many threads as torch has, one core for each."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "layer", torch.set_num_threads, (1,))
    try:
        with pool:
            return list(pool.map(work, *items))
    finally:
        # A thread's own setting is also what later threads start with.
        torch.set_num_threads(threads)


class LAdapter(nn.Module):
    """The sum over all groups (Eq. 7), then dropout and FC (Eq. 8).

    Args:
        groups: The groups to read.
        classes: Emotions to tell apart.
        options: The card's.
    """

    def __init__(self, groups: Groups, classes: int, options: Options) -> None:
        super().__init__()
        dropout, softmax = options["dropout"], options["weights"] == "softmax"
        self.groups = dict(groups)
        self.layers = {
            group: fused_layers(spec, options) for group, spec in groups.items()
        }
        # A list, since a ModuleDict takes no name with a dot: whisper.encoder.
        self.sums = nn.ModuleList(
            GroupAdapter(len(self.layers[group]), spec.dim, dropout, softmax)
            for group, spec in groups.items()
        )
        self.classify = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * UNITS, classes)
        )

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Give logits, ``(batch, classes)``."""
        sums = [
            adapt(
                take(features[group].states, self.groups[group], self.layers[group]),
                features[group].lengths,
            )
            for group, adapt in zip(self.groups, self.sums, strict=True)
        ]
        logits: Tensor = self.classify(torch.stack(sums).sum(dim=0))
        return logits

    def layer_weights(self) -> dict[str, Tensor]:
        """Give the ``(layers,)`` weights of each group as they stand, detached."""
        return {
            # A copy: free weights are the parameter itself, which training moves on.
            group: cast(GroupAdapter, adapt).weights().detach().clone()
            for group, adapt in zip(self.groups, self.sums, strict=True)
        }


def ladapter(groups: Groups, classes: int, options: Options) -> LAdapter:
    """Build the head."""
    return LAdapter(groups, classes, options)
