"""The architecture of emotion2vec (data2vec 2.0), without the parts of pre-training.

Modules have the names of the parameters in published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.upstreams.emotion2vec.config import STRIDES, Emotion2vecSizes
from nserbench.upstreams.strided_convolutions import StridedConvolutions, Transpose

DROPOUT = 0.1
"""In training: of a block's input to attention weights, and of both its parts' outputs,
as in the authors' configuration."""


class Emotion2vecModel(nn.Module):
    """Convolutions, positions, and two stacks of blocks with ALiBi."""

    def __init__(self, sizes: Emotion2vecSizes) -> None:
        super().__init__()
        self.tokens = sizes.tokens
        self.modality_encoders = nn.ModuleDict({"AUDIO": _Audio(sizes)})
        self.blocks = nn.ModuleList(_AlibiBlock(sizes) for _ in range(sizes.blocks))

    def forward(self, waves: Tensor) -> Tensor:
        """Return all layers.

        Args:
            waves: ``(batch, samples)``, all of one length.

        Returns:
            ``(layers + 1, batch, frames, dim)``. Layer 0 is the input of block 1.
        """
        waves = F.layer_norm(waves, waves.shape[-1:])
        states, bias = self.modality_encoders["AUDIO"](waves)
        for block in self.blocks:
            states.append(block(states[-1], bias))
        return torch.stack([state[:, self.tokens :] for state in states])


class _Audio(nn.Module):
    """All before the last blocks: the local encoder with its own blocks."""

    def __init__(self, sizes: Emotion2vecSizes) -> None:
        super().__init__()
        dim, channels = sizes.dim, sizes.convolutions[-1][0]
        convolutions = [
            (*one, stride)
            for one, stride in zip(sizes.convolutions, STRIDES, strict=True)
        ]
        self.local_encoder = StridedConvolutions(
            convolutions, norm_each=True, bias=False
        )
        self.project_features = nn.Sequential(
            Transpose(), nn.LayerNorm(channels), nn.Linear(channels, dim)
        )
        positions = [_Position(sizes) for _ in range(sizes.positions)]
        self.relative_positional_encoder = nn.Sequential(
            Transpose(), *positions, Transpose()
        )
        self.extra_tokens = nn.Parameter(torch.zeros(1, sizes.tokens, dim))
        self.alibi_scale = nn.Parameter(torch.ones(1, 1, sizes.heads, 1, 1))
        self.context_encoder = _LocalBlocks(sizes)

    def forward(self, waves: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the states of the blocks, and the bias of attention.

        Returns:
            The input of the first block and the output of each,
            ``(batch, tokens + frames, dim)``; and ``(heads, tokens + frames,
            tokens + frames)``, which the later blocks add, too.
        """
        frames = self.project_features(self.local_encoder(waves))
        bias = self.bias(frames.shape[1])
        frames = frames + self.relative_positional_encoder(frames)
        tokens = self.extra_tokens.expand(len(frames), -1, -1)
        return self.context_encoder(torch.cat([tokens, frames], dim=1), bias), bias

    def bias(self, frames: int) -> Tensor:
        """Return ALiBi: the distance of two frames, times a scale of each head.

        Tokens have no distance.
        """
        scale, tokens = self.alibi_scale, self.extra_tokens.shape[1]
        frame = torch.arange(frames, device=scale.device)
        distance = (frame[:, None] - frame[None, :]).abs()
        heads = scale.clamp(min=0).flatten()
        slopes = torch.tensor(_slopes(len(heads)), device=scale.device) * heads
        return F.pad(-slopes[:, None, None] * distance, (tokens, 0, tokens, 0))


def _slopes(heads: int) -> Sequence[float]:
    """Return the slope of each head, as in ALiBi (Press et al., arXiv:2108.12409)."""
    power = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    if power == heads:
        return slopes
    return [*slopes, *_slopes(2 * power)[0::2][: heads - power]]


class _Position(nn.Sequential):
    """A convolution over frames, as one of the layers that add positions."""

    def __init__(self, sizes: Emotion2vecSizes) -> None:
        kernel = sizes.position_kernel
        super().__init__(
            nn.Conv1d(
                sizes.dim,
                sizes.dim,
                kernel,
                padding=kernel // 2,
                groups=sizes.position_groups,
            ),
            Transpose(),
            nn.LayerNorm(sizes.dim, elementwise_affine=False),
            Transpose(),
            nn.GELU(),
        )


class _LocalBlocks(nn.Module):
    """The blocks of the encoder of audio, after a norm."""

    def __init__(self, sizes: Emotion2vecSizes) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.dim)
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.ModuleList(
            _AlibiBlock(sizes) for _ in range(sizes.local_blocks)
        )

    def forward(self, x: Tensor, bias: Tensor) -> list[Tensor]:
        """Return the input of the first block and the output of each."""
        states = [self.dropout(self.norm(x))]
        for block in self.blocks:
            states.append(block(states[-1], bias))
        return states


class _AlibiBlock(nn.Module):
    """Attention and a feed-forward part, each with a norm after it."""

    def __init__(self, sizes: Emotion2vecSizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.dim)
        self.attn = _AlibiAttention(sizes.dim, sizes.heads)
        self.norm2 = nn.LayerNorm(sizes.dim)
        self.mlp = _FeedForward(sizes.dim, sizes.feed_forward)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map ``(batch, frames, dim)`` to the same shape."""
        x = self.norm1(x + self.dropout(self.attn(x, bias)))
        normed: Tensor = self.norm2(x + self.dropout(self.mlp(x)))
        return normed


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _AlibiAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map ``(batch, frames, dim)`` to the same shape.

        Args:
            x: ``(batch, frames, dim)``.
            bias: ``(heads, frames, frames)``, added to products of queries and keys.
        """
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        dropout = DROPOUT if self.training else 0.0
        out = F.scaled_dot_product_attention(
            query, key, value, bias.to(query.dtype), dropout
        )
        projected: Tensor = self.proj(out.transpose(1, 2).flatten(2))
        return projected
