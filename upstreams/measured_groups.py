"""Find out the groups of an upstream whose card does not say them, by loading it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nserbench.errors import NserbenchError
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)
from nserbench.upstreams.groups import Groups, GroupSpec

if TYPE_CHECKING:
    from nserbench.cards import Options
    from nserbench.upstreams.base import UpstreamCard

LONG, PARTS = 12 * SAMPLE_RATE, 6
"""Samples of the longer of two clips, and how often the shorter one fits into it."""

_KNOWN: dict[str, Groups] = {}


def measured_groups(card: UpstreamCard, options: Options) -> Groups:
    """Load an upstream, run it on two clips of noise, and return its groups.

    This is done once in a process for each card and its own options. The rate is that
    of the upstream if it has one, else the difference in frames of both clips.
    """
    own = {name: repr(options[name]) for name in sorted(card.options)}
    key = json.dumps([card.target, card.identity, own])
    if key not in _KNOWN:
        _KNOWN[key] = _measured(card, card.open(options, "cpu"))
    return _KNOWN[key]


def _measured(card: UpstreamCard, upstream: Upstream) -> Groups:
    long = min(LONG, card.max_samples or LONG)
    lengths = [max(count, card.min_samples) for count in (long // PARTS, long)]
    short, longer = (
        _checked(card, upstream.extract(_batch(card, count))) for count in lengths
    )
    seconds = (lengths[1] - lengths[0]) / SAMPLE_RATE
    return {
        name: _spec(short[name], group, seconds, upstream.rate)
        for name, group in longer.items()
    }


def _checked(card: UpstreamCard, returned: object) -> LayeredFeatures:
    """Return what an upstream has returned, if it is groups by name.

    Raises:
        NserbenchError: if it is something else.
    """
    kind = type(returned).__name__
    if isinstance(returned, Mapping):
        others = {name: type(group).__name__ for name, group in returned.items()}
        kind = f"a dict of {others}"
        if others and set(others.values()) == {LayerGroup.__name__}:
            return returned
    raise NserbenchError(
        f"upstream {card.name!r} returns {kind}\n"
        '  its forward must return groups by name, as {"encoder": LayerGroup(...)}'
    )


def _batch(card: UpstreamCard, samples: int) -> Batch:
    import numpy as np

    wave = np.random.default_rng(0).uniform(-0.1, 0.1, samples).astype(np.float32)
    waves = [wave] if card.reads_audio else []
    return Batch(["clip"], waves, ["A sentence of six short words."], ["en"])


def _spec(
    short: LayerGroup, longer: LayerGroup, seconds: float, rate: float | None
) -> GroupSpec:
    layers, _, _, dim = longer.states.shape
    more = int(longer.lengths[0]) - int(short.lengths[0])
    return GroupSpec(
        # As in S3PRL: several states begin with the input of the first block.
        layers=range(layers) if layers > 1 else range(1, 2),
        dim=dim,
        rate=(rate or more / seconds) if more and seconds else None,
    )
