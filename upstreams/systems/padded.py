"""Sequences of different lengths in one tensor: what looks at valid frames alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def valid_frames(lengths: Tensor, frames: int) -> Tensor:
    """Return which frames are no padding, ``(batch, frames)``."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def mean_of_frames(values: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean over the valid frames of each utterance, ``(batch,)``.

    Args:
        values: ``(batch, frames)``.
        lengths: ``(batch,)``.
    """
    valid = valid_frames(lengths, values.shape[1])
    return values.masked_fill(~valid, 0.0).sum(dim=1) / lengths


def reversed_in_time(states: Tensor, lengths: Tensor) -> Tensor:
    """Return each utterance from its last valid frame to its first.

    Args:
        states: ``(batch, frames, dim)``. Padding stays where it is.
        lengths: ``(batch,)``.
    """
    frames = torch.arange(states.shape[1], device=states.device)
    mirrored = lengths[:, None] - 1 - frames
    order = torch.where(mirrored >= 0, mirrored, frames)
    return states.gather(1, order[..., None].expand_as(states))


class FrameNorm(nn.Module):
    """Batch norm over valid frames; padding becomes 0.

    Args:
        dim: Width of a frame.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Normalise ``(batch, frames, dim)``."""
        valid = valid_frames(lengths, states.shape[1])
        return torch.zeros_like(states).masked_scatter(
            valid[..., None], self.norm(states[valid])
        )
