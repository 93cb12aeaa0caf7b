"""The layer adapter of Shi et al.: a BiGRU for each layer, then a weighted sum."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from nserbench.cards import Options
from nserbench.downstreams.layers import fused_layers, take
from nserbench.downstreams.pooling import max_over_time
from nserbench.downstreams.recurrent import BiGRU
from nserbench.upstreams.base import Groups, LayeredFeatures

UNITS = 256
"""For each direction, so that an adapter gives 512 (Sec. IV-C)."""


class Adapter(nn.Module):
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
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(2 * UNITS)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Adapt one layer, ``(batch, frames, dim)``, to ``(batch, 2 * UNITS)``."""
        peak = max_over_time(self.dropout(self.gru(states, lengths)), lengths)
        adapted: Tensor = self.norm(peak.relu())
        return adapted


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
        self.adapters = nn.ModuleList(Adapter(dim, dropout) for _ in range(layers))
        self.softmax = softmax
        self.scores = nn.Parameter(torch.full((layers,), 1 / layers))

    def weights(self) -> Tensor:
        """Give the ``(layers,)`` weights."""
        return self.scores.softmax(dim=0) if self.softmax else self.scores

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Fuse ``(layers, batch, frames, dim)`` to ``(batch, 2 * UNITS)``."""
        adapted = torch.stack(
            [
                adapter(layer, lengths)
                for adapter, layer in zip(self.adapters, states, strict=True)
            ]
        )
        return torch.einsum("l,lbu->bu", self.weights(), adapted)


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
