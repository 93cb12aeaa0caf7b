"""Mean and maximum over valid frames, against loops over utterances."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nserbench.downstreams.pooling import max_over_time, mean_over_time

LENGTHS = torch.tensor([4, 1, 3])


def looped(states: Tensor, reduce: str) -> Tensor:
    pooled = [
        getattr(states[:, place, :length], reduce)(dim=1)
        for place, length in enumerate(LENGTHS)
    ]
    return torch.stack(pooled, dim=1)


@pytest.mark.parametrize(
    ("pool", "reduce"), [(mean_over_time, "mean"), (max_over_time, "amax")]
)
def test_pools_each_utterance_over_its_own_frames(
    pool: Callable[[Tensor, Tensor], Tensor], reduce: str
) -> None:
    torch.manual_seed(0)
    states = torch.randn(2, 3, 4, 5) - 3  # all but always below the 0 of padding

    torch.testing.assert_close(pool(states, LENGTHS), looped(states, reduce))
    torch.testing.assert_close(pool(states[0], LENGTHS), looped(states, reduce)[0])


@pytest.mark.parametrize("pool", [mean_over_time, max_over_time])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_padding_reaches_neither_value_nor_gradient(
    pool: Callable[[Tensor, Tensor], Tensor], value: float
) -> None:
    torch.manual_seed(0)
    states = torch.randn(1, 3, 4, 5)
    states[:, 1, 1:] = value
    states[:, 2, 3:] = value
    states.requires_grad_()

    pooled = pool(states, LENGTHS)
    pooled.sum().backward()

    assert pooled.abs().max() < 10
    assert not states.grad[:, 1, 1:].any()
    torch.testing.assert_close(states.grad.sum(dim=2), torch.ones(1, 3, 5))
