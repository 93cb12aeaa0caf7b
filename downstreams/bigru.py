"""A BiGRU over the last layer of each group: the paper's head on mel-spectrograms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nserbench.cards import Options
from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.downstreams.layer_choice import take
from nserbench.upstreams.base import Groups, LayeredFeatures, LayerGroup

UNITS = 256
"""For each direction, as in the adapter; Sec. IV-C says only "256 units" here."""


class BiGRUHead(nn.Module):
    """BiGRU, dropout, mean over valid frames, groups side by side, dropout, FC.

    Sec. IV-C names the BiGRU, its units and its dropout. The mean over time is what it
    says of the SSL models; a dropout before the FC is what it says of the classifier.

    Args:
        groups: The groups to read.
        classes: Emotions to tell apart.
        dropout: Probability of dropping, the same in both places.
    """

    def __init__(self, groups: Groups, classes: int, dropout: float) -> None:
        super().__init__()
        self.groups = dict(groups)
        self.grus = nn.ModuleList(BiGRU(spec.dim, UNITS) for spec in groups.values())
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * UNITS * len(groups), classes)

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Give logits, ``(batch, classes)``."""
        read = [
            self._read(gru, features[group], group)
            for group, gru in zip(self.groups, self.grus, strict=True)
        ]
        logits: Tensor = self.classify(self.dropout(torch.cat(read, dim=-1)))
        return logits

    def _read(self, gru: nn.Module, features: LayerGroup, group: str) -> Tensor:
        """Turn the last layer of a group into ``(batch, 2 * UNITS)``."""
        spec, lengths = self.groups[group], features.lengths
        (states,) = take(features.states, spec, spec.layers[-1:])
        # The BiGRU gives 0 in padding, and dropout leaves it.
        summed: Tensor = self.dropout(gru(states, lengths)).sum(dim=1)
        return summed / lengths[:, None]


def bigru(groups: Groups, classes: int, options: Options) -> BiGRUHead:
    """Build the head."""
    return BiGRUHead(groups, classes, options["dropout"])
