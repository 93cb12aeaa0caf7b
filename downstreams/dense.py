"""The fully connected network that the paper uses on openSMILE's functionals."""

from __future__ import annotations

from torch import nn

from nserbench.cards import Options
from nserbench.downstreams.fusion import Mean, PooledHead
from nserbench.downstreams.kernels.mask_dropout import Dropout
from nserbench.downstreams.layer_choice import last_layer
from nserbench.upstreams.groups import Groups

UNITS = 512
"""Units of the hidden layer (Table II)."""


def fc(groups: Groups, classes: int, options: Options) -> PooledHead:
    """Build a head with one hidden layer over the last layer of each group.

    The paper states units and dropout; we take one hidden layer, with ReLU.
    """
    width = sum(spec.dim for spec in groups.values())
    classify = nn.Sequential(
        nn.Linear(width, UNITS),
        nn.ReLU(),
        Dropout(options["dropout"], UNITS),
        nn.Linear(UNITS, classes),
    )
    layers = {group: last_layer(spec, options) for group, spec in groups.items()}
    return PooledHead(groups, layers, [Mean() for _ in groups], classify)
