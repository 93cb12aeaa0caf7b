"""Check the losses that an upstream adds in training, from clean twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.benchmark.checks.contract import Outcome
from nserbench.upstreams.base import Batch, is_inside
from nserbench.upstreams.pair_upstream import PairUpstream

TOLERANCE = 1e-3
"""Largest difference between a loss alone and in a batch, relative to the loss."""

_NOISE = 0.1
"""Standard deviation of the noise in the noisy twins; full scale is 1.0."""


def check_losses(
    upstream: PairUpstream, clean: Batch, frozen: Sequence[str]
) -> Outcome:
    """Compare losses of utterances alone and in a batch, and look at their gradients.

    Args:
        upstream: The upstream, in evaluation mode.
        clean: Several clean utterances; white noise is added for their noisy twins.
        frozen: Names of the modules that are not trained.
    """
    rng = np.random.default_rng(0)

    def noisy_wave(wave: NDArray[np.float32]) -> NDArray[np.float32]:
        return (wave + _NOISE * rng.standard_normal(len(wave))).astype(np.float32)

    noisy = replace(clean, waves=[noisy_wave(wave) for wave in clean.waves])
    returned = upstream.forward_and_losses(noisy, clean)
    for group, features in upstream.forward(noisy).items():
        if not torch.equal(features.states, returned.features[group].states):
            return False, f"{group} has other values where losses are asked for"
    losses, rows = returned.losses, len(clean.ids)
    if not losses:
        return None, "adds none with these options"
    for name, values in losses.items():
        if values.shape != (rows,):
            return False, f"{name} is {tuple(values.shape)} for {rows} utterances"
        if not bool(values.isfinite().all()):
            return False, f"{name} has values that are NaN or infinite"
    for name, difference in _differences(upstream, noisy, clean, losses).items():
        if difference > TOLERANCE:
            return False, f"{name} of an utterance depends on the others in the batch"
    return _reached(upstream, losses, frozen)


def _differences(
    upstream: PairUpstream, noisy: Batch, clean: Batch, losses: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return how far each loss of an utterance alone is from that in a batch."""
    pairs = zip(noisy.utterances(), clean.utterances(), strict=True)
    with torch.no_grad():
        alone = [upstream.forward_and_losses(*pair).losses for pair in pairs]
    found = {}
    for name, together in losses.items():
        values = together.detach()
        largest = values.abs().max().clamp(min=1e-12)
        single = torch.cat([one[name] for one in alone])
        found[name] = float((single - values).abs().max() / largest)
    return found


def _reached(
    upstream: PairUpstream, losses: Mapping[str, Tensor], frozen: Sequence[str]
) -> Outcome:
    """Say whether a gradient of the losses reaches weights that are not frozen."""
    if upstream.model is None:
        return False, "no model to train"
    upstream.model.zero_grad()
    torch.stack([values.sum() for values in losses.values()]).sum().backward()
    reached = [
        name
        for name, weights in upstream.model.named_parameters()
        if weights.grad is not None and bool(weights.grad.any())
    ]
    upstream.model.zero_grad()
    if all(is_inside(name, frozen) for name in reached):
        return False, "no gradient of them reaches the weights that are not frozen"
    return True, f"{', '.join(losses)}: {len(reached)} parameters reached"
