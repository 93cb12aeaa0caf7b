"""A selective state space over a sequence, in plain torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.upstreams.systems.padded import reversed_in_time

TAPS = 4
"""Frames that the convolution before the state space sees."""


class SelectiveScan(nn.Module):
    """The selective state space of Mamba (Gu and Dao, arXiv:2312.00752, Sec. 3).

    Each feature has states that decay; how fast, and what enters and leaves them,
    depends on the frame. A frame depends on itself and earlier ones.

    Args:
        dim: Width of a frame.
        states: States of each feature.
    """

    def __init__(self, dim: int, states: int) -> None:
        super().__init__()
        self.states, rank = states, math.ceil(dim / 16)
        self.enter = nn.Linear(dim, 2 * dim)
        self.convolve = nn.Conv1d(dim, dim, TAPS, padding=TAPS - 1, groups=dim)
        self.select = nn.Linear(dim, rank + 2 * states, bias=False)
        self.step = nn.Linear(rank, dim)
        rates = torch.arange(1, states + 1, dtype=torch.float32)
        self.log_rates = nn.Parameter(rates.log().repeat(dim, 1))
        self.skip = nn.Parameter(torch.ones(dim))
        self.leave = nn.Linear(dim, dim)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Turn ``(batch, frames, dim)`` into the same shape."""
        values, gate = self.enter(sequence).chunk(2, dim=2)
        convolved = self.convolve(values.transpose(1, 2))[..., : sequence.shape[1]]
        values = F.silu(convolved.transpose(1, 2))
        sizes = [self.step.in_features, self.states, self.states]
        step, write, read = self.select(values).split(sizes, dim=2)
        steps = F.softplus(self.step(step))
        scanned = scan(values, steps, -self.log_rates.exp(), write, read)
        left: Tensor = self.leave((scanned + self.skip * values) * F.silu(gate))
        return left


def scan(
    values: Tensor, steps: Tensor, rates: Tensor, write: Tensor, read: Tensor
) -> Tensor:
    """Run the states of each feature through time, and read them at every frame.

    ``state[t] = exp(step[t] * rate) * state[t - 1] + step[t] * write[t] * value[t]``,
    and the result at ``t`` is the sum over states of ``read[t] * state[t]``.

    Args:
        values: ``(batch, frames, dim)``; so is ``steps``.
        rates: ``(dim, states)``, below 0.
        write: ``(batch, frames, states)``; so is ``read``.

    Returns:
        ``(batch, frames, dim)``.
    """
    decay = (steps[..., None] * rates).exp()
    enters = (steps * values)[..., None] * write[:, :, None]
    state, states = torch.zeros_like(enters[:, 0]), []
    for kept, entering in zip(decay.unbind(1), enters.unbind(1), strict=True):
        state = kept * state + entering
        states.append(state)
    return (torch.stack(states, dim=1) * read[:, :, None]).sum(dim=3)


class BothWays(nn.Module):
    """Two cells over a sequence, one of them from its end; the sum is added to it.

    Args:
        dim: Width of a frame.
        ahead: The cell from the beginning: ``(sequence, lengths)`` to a sequence.
        back: The cell from the end.
    """

    def __init__(self, dim: int, ahead: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.ahead, self.back = ahead, back

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Turn ``(batch, frames, dim)`` into the same shape."""
        normed = self.norm(sequence)
        ahead = self.ahead(normed, lengths)
        back = self.back(reversed_in_time(normed, lengths), lengths)
        summed: Tensor = sequence + ahead + reversed_in_time(back, lengths)
        return summed


class LstmCell(nn.Module):
    """An LSTM in one direction, in place of `SelectiveScan`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim, batch_first=True)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Turn ``(batch, frames, dim)`` into the same shape."""
        states: Tensor = self.lstm(sequence)[0]
        return states
