"""The layer adapter (L-adapter) of Shi et al., Sec. III-C, Eqs. 5 to 8.

`LayerAdapter` says Eqs. 5 and 6 in plain torch. In use, the adapters of a group run in
a faster form, `kernels.adapters`, which the tests compare with the plain one.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.downstreams.kernels.adapters import adapt_layers
from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.downstreams.layer_choice import fused_layers, take
from nserbench.downstreams.pooling import without_padding
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.groups import Groups

UNITS = 256
"""Units of each direction, so that an adapter returns 512 values (Sec. IV-C)."""


class LayerAdapter(nn.Module):
    """One layer adapter: BiGRU, dropout, max over valid frames, ReLU, layer norm.

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

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return Eq. 5 or 6 of one layer, in plain torch.

        Args:
            states: ``(batch, frames, dim)``, the layer.
            lengths: ``(batch,)`` frames.

        Returns:
            ``(batch, 2 * UNITS)``.
        """
        over_time = self.gru.packed(states, lengths)  # torch's nn.GRU
        over_time = F.dropout(over_time, self.dropout, self.training)
        peak = without_padding(over_time, lengths, fill=-torch.inf).amax(dim=1)
        adapted: Tensor = self.norm(peak.relu())
        return adapted


class GroupAdapter(nn.Module):
    """The adapters of one group and their weighted sum: one of the sums of Eq. 7.

    The weights start equal and sum to 1. Eq. 7 has no softmax, so they are free unless
    it is asked for.

    Args:
        layers: Number of layers.
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
        """Return the ``(layers,)`` layer weights."""
        return self.scores.softmax(dim=0) if self.softmax else self.scores

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Fuse ``(layers, batch, frames, dim)`` to ``(batch, 2 * UNITS)``."""
        adapted = adapt_layers(self.adapters, states, lengths)
        return torch.einsum("l,lbu->bu", self.weights(), adapted)


class LAdapter(nn.Module):
    """The sum over all groups (Eq. 7), then dropout and FC (Eq. 8)."""

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
        """Return the logits, ``(batch, classes)``; the loss applies the softmax."""
        sums = [
            fuse(
                take(features[group].states, self.groups[group], self.layers[group]),
                features[group].lengths,
            )
            for group, fuse in zip(self.groups, self.sums, strict=True)
        ]
        logits: Tensor = self.classify(torch.stack(sums).sum(dim=0))
        return logits

    def layer_weights(self) -> dict[str, Tensor]:
        """Return a detached copy of the ``(layers,)`` weights of each group."""
        return {
            # A copy: free weights are the parameter itself, which training changes.
            group: cast(GroupAdapter, fuse).weights().detach().clone()
            for group, fuse in zip(self.groups, self.sums, strict=True)
        }


def ladapter(groups: Groups, classes: int, options: Options) -> LAdapter:
    """Build the head."""
    return LAdapter(groups, classes, options)
