"""Heads that average over time, fuse the layers of each group, and classify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.downstreams.kernels.mask_dropout import Dropout
from nserbench.downstreams.layer_choice import (
    chosen_layer,
    fused_layers,
    last_layer,
    take,
)
from nserbench.downstreams.pooling import mean_over_time
from nserbench.upstreams.base import LayeredFeatures, LayerGroup
from nserbench.upstreams.groups import Groups


class Mean(nn.Module):
    """The mean of the layers; of one layer, the layer itself."""

    def forward(self, states: Tensor) -> Tensor:
        """Fuse ``(layers, batch, dim)`` to ``(batch, dim)``."""
        return states[0] if len(states) == 1 else states.mean(dim=0)


class WeightedSum(nn.Module):
    """S3PRL's weighted sum: a softmax over layer weights that start equal.

    Args:
        layers: Number of layers.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))

    def weights(self) -> Tensor:
        """Return the ``(layers,)`` layer weights, which sum to 1."""
        return self.scores.softmax(dim=0)

    def forward(self, states: Tensor) -> Tensor:
        """Fuse ``(layers, batch, dim)`` to ``(batch, dim)``."""
        return torch.einsum("l,lbd->bd", self.weights(), states)


class ScalarMix(WeightedSum):
    """ELMo's scalar mix: a weighted sum of layer-normed layers, scaled by gamma.

    Peters et al., Eq. 1 and Sec. 3.2. The layer norm is an option of theirs; we apply
    it, without trainable weights, since it distinguishes the mix from the weighted
    sum. It acts on the mean over time.

    Args:
        layers: Number of layers.
    """

    def __init__(self, layers: int) -> None:
        super().__init__(layers)
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, states: Tensor) -> Tensor:
        """Fuse ``(layers, batch, dim)`` to ``(batch, dim)``."""
        return self.gamma * super().forward(F.layer_norm(states, states.shape[-1:]))


class Attention(nn.Module):
    """Attention of a learned query over the layers of each utterance.

    The paper names "attention-based pooling" without details; we take a scaled dot
    product. The query starts at 0 (our choice), so the head starts as the mean, like
    the weighted sum. The gradient of the query is not 0 there.

    Args:
        dim: Width of every layer.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(self, states: Tensor) -> Tensor:
        """Fuse ``(layers, batch, dim)`` to ``(batch, dim)``."""
        scores = states @ self.query / len(self.query) ** 0.5
        return torch.einsum("lb,lbd->bd", scores.softmax(dim=0), states)


class Linear(nn.Linear):
    """`torch.nn.Linear`, with factors in an order that makes stacked gradients fast."""

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(batch, inputs)`` to ``(batch, outputs)``."""
        return (self.weight @ values.mT).mT + self.bias


class PooledHead(nn.Module):
    """Mean over valid frames, fusion of layers, concatenation of groups, classifier.

    Heads of one shape can be trained together if their dropout is a `Dropout`.

    Args:
        fusions: For each group a module from ``(layers, batch, dim)`` to
            ``(batch, dim)``.
        classify: Module from concatenated groups, ``(batch, sum of dims)``, to logits.
    """

    def __init__(
        self,
        groups: Groups,
        layers: Mapping[str, range],
        fusions: Iterable[nn.Module],
        classify: nn.Module,
    ) -> None:
        super().__init__()
        self.groups = dict(groups)
        self.layers = dict(layers)
        # A list, since a ModuleDict takes no name with a dot: whisper.encoder.
        self.fusions = nn.ModuleList(fusions)
        self.classify = classify

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Return the logits, ``(batch, classes)``."""
        pooled = {group: self._pooled(features[group], group) for group in self.groups}
        return self.fuse(pooled)

    def fuse(self, pooled: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of means over time, ``(batch, classes)``.

        Args:
            pooled: ``(layers, batch, dim)`` for each group, only the layers to read.
        """
        fused = [
            fusion(pooled[group])
            for group, fusion in zip(self.groups, self.fusions, strict=True)
        ]
        joined = torch.cat(fused, dim=-1) if len(fused) > 1 else fused[0]
        logits: Tensor = self.classify(joined)
        return logits

    def _pooled(self, features: LayerGroup, group: str) -> Tensor:
        states = take(features.states, self.groups[group], self.layers[group])
        return mean_over_time(states, features.lengths)


class WeightedSumHead(PooledHead):
    """A `PooledHead` with a `WeightedSum` for each group."""

    def layer_weights(self) -> dict[str, Tensor]:
        """Return the ``(layers,)`` layer weights of each group; they sum to 1."""
        return {
            group: cast(WeightedSum, fusion).weights().detach()
            for group, fusion in zip(self.groups, self.fusions, strict=True)
        }


def last(groups: Groups, classes: int, options: Options) -> PooledHead:
    """Build the head that reads the last layer of each group."""
    layers = {group: last_layer(spec, options) for group, spec in groups.items()}
    return _mean_of(layers, groups, classes, options)


def single(groups: Groups, classes: int, options: Options) -> PooledHead:
    """Build the head that reads one layer, of the same number in each group."""
    layers = {group: chosen_layer(spec, options) for group, spec in groups.items()}
    return _mean_of(layers, groups, classes, options)


def mean(groups: Groups, classes: int, options: Options) -> PooledHead:
    """Build the head that averages over layers."""
    return _mean_of(_fused(groups, options), groups, classes, options)


def weighted_sum(groups: Groups, classes: int, options: Options) -> WeightedSumHead:
    """Build the head with a `WeightedSum` for each group."""
    layers = _fused(groups, options)
    sums = [WeightedSum(len(numbers)) for numbers in layers.values()]
    return WeightedSumHead(groups, layers, sums, _linear(groups, classes, options))


def scalar_mix(groups: Groups, classes: int, options: Options) -> WeightedSumHead:
    """Build the head with a `ScalarMix` for each group."""
    layers = _fused(groups, options)
    mixes = [ScalarMix(len(numbers)) for numbers in layers.values()]
    return WeightedSumHead(groups, layers, mixes, _linear(groups, classes, options))


def attention(groups: Groups, classes: int, options: Options) -> PooledHead:
    """Build the head with an `Attention` over the layers of each group."""
    queries = [Attention(spec.dim) for spec in groups.values()]
    layers = _fused(groups, options)
    return PooledHead(groups, layers, queries, _linear(groups, classes, options))


def _mean_of(
    layers: Mapping[str, range], groups: Groups, classes: int, options: Options
) -> PooledHead:
    means = [Mean() for _ in groups]
    return PooledHead(groups, layers, means, _linear(groups, classes, options))


def _fused(groups: Groups, options: Options) -> dict[str, range]:
    return {group: fused_layers(spec, options) for group, spec in groups.items()}


def _linear(groups: Groups, classes: int, options: Options) -> nn.Module:
    width = sum(spec.dim for spec in groups.values())
    return nn.Sequential(Dropout(options["dropout"], width), Linear(width, classes))
