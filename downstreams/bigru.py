"""A BiGRU over the last layer of each group: the paper's head on mel-spectrograms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nserbench.cards import Options
from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.downstreams.layer_choice import take
from nserbench.upstreams.base import LayeredFeatures, LayerGroup
from nserbench.upstreams.groups import Groups

UNITS = 256
"""Units of each direction, as in the adapter; Sec. IV-C says only "256 units"."""


class BiGRUHead(nn.Module):
    """BiGRU, dropout, mean over valid frames, concatenation of groups, dropout, FC.

    Sec. IV-C names the BiGRU, its units and its dropout. The mean over time follows
    its description of the SSL models, the dropout before the FC that of the
    classifier.

    Args:
        dropout: Probability of dropping, the same before and after the mean.
    """

    def __init__(self, groups: Groups, classes: int, dropout: float) -> None:
        super().__init__()
        self.groups = dict(groups)
        self.grus = nn.ModuleList(BiGRU(spec.dim, UNITS) for spec in groups.values())
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * UNITS * len(groups), classes)

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Return the logits, ``(batch, classes)``."""
        means = [
            self._mean_over_time(gru, features[group], group)
            for group, gru in zip(self.groups, self.grus, strict=True)
        ]
        logits: Tensor = self.classify(self.dropout(torch.cat(means, dim=-1)))
        return logits

    def _mean_over_time(
        self, gru: nn.Module, features: LayerGroup, group: str
    ) -> Tensor:
        """Turn the last layer of a group into ``(batch, 2 * UNITS)``."""
        spec, lengths = self.groups[group], features.lengths
        (states,) = take(features.states, spec, spec.layers[-1:])
        # The BiGRU is 0 in padding, and dropout keeps 0.
        summed: Tensor = self.dropout(gru(states, lengths)).sum(dim=1)
        return summed / lengths[:, None]


def bigru(groups: Groups, classes: int, options: Options) -> BiGRUHead:
    """Build the head."""
    return BiGRUHead(groups, classes, options["dropout"])
