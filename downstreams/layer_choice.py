"""Which layers of a group a head reads, and which groups it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nserbench.cards import Options
from nserbench.upstreams.groups import Groups, GroupSpec

if TYPE_CHECKING:
    from torch import Tensor

EVERY = "all"
"""Value of the option ``layer`` that asks for every layer."""


def last_layer(spec: GroupSpec, options: Options) -> range:
    """Return the number of the last layer, as a range of one."""
    return spec.layers[-1:]


def chosen_layer(spec: GroupSpec, options: Options) -> range:
    """Return the number of the requested layer, as a range of one."""
    return range(options["layer"], options["layer"] + 1)


def each_layer(groups: Groups, options: Options) -> list[Options]:
    """Return the options of one cell for each layer if ``layer=all``."""
    return candidates(groups, options) if options["layer"] == EVERY else [options]


def candidates(groups: Groups, options: Options) -> list[Options]:
    """Return the options of ``single`` for each layer that all groups have."""
    common = set.intersection(*(set(spec.layers) for spec in groups.values()))
    return [{**options, "layer": layer} for layer in sorted(common)]


def fused_layers(spec: GroupSpec, options: Options) -> range:
    """Return the numbers of the layers that a fusing head reads.

    The sums of Eq. 7 start at layer 1. The paper does not say whether the input of the
    first block counts as a layer; here it does only with ``state0=yes``.
    """
    return spec.layers if options["state0"] else spec.blocks


def take(states: Tensor, spec: GroupSpec, layers: range) -> Tensor:
    """Return the states of some consecutive layers, without a copy.

    Args:
        states: ``(layers, batch, frames, dim)``, every layer of the group.

    Returns:
        ``(len(layers), batch, frames, dim)``.

    Raises:
        ValueError: if the states do not hold every layer of the group.
    """
    if len(states) != len(spec.layers):
        raise ValueError(
            f"states must hold the {len(spec.layers)} layers of their group, "
            f"got {len(states)}"
        )
    first = layers.start - spec.layers.start
    return states[first : first + len(layers)]


def needs(least: int) -> Callable[[Groups, Options], str | None]:
    """Return a check that refuses groups of fewer than ``least`` layers (1 or 2)."""

    def refuse(groups: Groups, options: Options) -> str | None:
        for group, spec in groups.items():
            count = len(fused_layers(spec, options))
            if count < least:
                return f"{group} has {('no', 'one')[count]} layer: nothing to fuse"
        return None

    return refuse


def needs_the_layer(groups: Groups, options: Options) -> str | None:
    """Refuse if no layer is requested, or a group does not have it."""
    layer = options["layer"]
    if layer is None:
        return "it reads one layer, and none is given: add layer=N"
    for group, spec in groups.items():
        if layer not in spec.layers:
            first, last = spec.layers[0], spec.layers[-1]
            has = f"layers {first} to {last}" if first < last else f"layer {first} only"
            return f"layer {layer} is not in {group}, which has {has}"
    return None
