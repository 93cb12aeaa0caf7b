"""The mean over valid frames, against a loop over utterances."""

from __future__ import annotations

import pytest
import torch
from heads import gradient
from torch import Tensor

from nserbench.downstreams.pooling import mean_over_time

LENGTHS = torch.tensor([4, 1, 3])


def looped(states: Tensor) -> Tensor:
    pooled = [
        states[:, place, :length].mean(dim=1) for place, length in enumerate(LENGTHS)
    ]
    return torch.stack(pooled, dim=1)


def test_pools_each_utterance_over_its_own_frames() -> None:
    torch.manual_seed(0)
    states = torch.randn(2, 3, 4, 5) - 3  # all but always below the 0 of padding

    torch.testing.assert_close(mean_over_time(states, LENGTHS), looped(states))
    torch.testing.assert_close(mean_over_time(states[0], LENGTHS), looped(states)[0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_padding_reaches_neither_value_nor_gradient(
    value: float,
) -> None:
    torch.manual_seed(0)
    states = torch.randn(1, 3, 4, 5)
    states[:, 1, 1:] = value
    states[:, 2, 3:] = value
    states.requires_grad_()

    pooled = mean_over_time(states, LENGTHS)
    pooled.sum().backward()

    assert pooled.abs().max() < 10
    assert not gradient(states)[:, 1, 1:].any()
    torch.testing.assert_close(gradient(states).sum(dim=2), torch.ones(1, 3, 5))
