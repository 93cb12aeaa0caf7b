"""The convolutions that turn samples into frames, as in wav2vec 2.0 and after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor, nn

Convolution: TypeAlias = tuple[int, int, int]
"""Channels, kernel and stride, in samples or frames."""


class StridedConvolutions(nn.Module):
    """Convolutions over samples. Parameters have the names of fairseq's checkpoints.

    Args:
        convolutions: The convolutions, in order.
        norm_each: Whether each is followed by a layer norm, not the first alone by a
            group norm.
        bias: Whether they have a bias.
    """

    def __init__(
        self, convolutions: Sequence[Convolution], *, norm_each: bool, bias: bool
    ) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList()
        before = 1
        for channels, kernel, stride in convolutions:
            self.conv_layers.append(
                nn.Sequential(
                    nn.Conv1d(before, channels, kernel, stride, bias=bias),
                    nn.Identity(),  # parameter names count a dropout here
                    _norm(channels, norm_each, first=before == 1),
                    nn.GELU(),
                )
            )
            before = channels

    def forward(self, waves: Tensor) -> Tensor:
        """Turn ``(batch, samples)`` into ``(batch, channels, frames)``."""
        x = waves.unsqueeze(1)
        for layer in self.conv_layers:
            x = layer(x)
        return x


class Transpose(nn.Module):
    """Swaps channels and frames."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``(batch, channels, frames)`` into ``(batch, frames, channels)``."""
        return x.transpose(1, 2)


def _norm(channels: int, norm_each: bool, first: bool) -> nn.Module:
    if norm_each:
        return nn.Sequential(Transpose(), nn.LayerNorm(channels), Transpose())
    return nn.GroupNorm(channels, channels) if first else nn.Identity()
