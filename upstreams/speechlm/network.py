"""The architecture of SpeechLM, without the parts that only read text.

Modules have the names of the parameters in published checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.upstreams.speechlm.config import SpeechLMConfig, TransformerSizes
from nserbench.upstreams.strided_convolutions import StridedConvolutions

FARTHEST = 160
"""Largest relative distance between two frames; larger ones count as this."""

_FIRST_POSITION = 2
"""Rows before this one are for symbols that only text has."""


class SpeechLMModel(nn.Module):
    """Both transformers over the convolutions of wav2vec 2.0.

    It has no dropout, not even in training.
    """

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__()
        channels = config.convolutions[-1][0]
        self.normalize = config.normalize
        self.feature_extractor = StridedConvolutions(
            config.convolutions, norm_each=config.norm_each, bias=config.conv_bias
        )
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, config.speech.dim)
        self.encoder = _Speech(config)
        self.unit_encoder = _Unit(config)

    def forward(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Return the layers of the speech and of the unit transformer.

        The unit transformer reads the last speech layer unchanged: units are mixed in
        only while SpeechLM is pre-trained.

        Args:
            waves: ``(batch, samples)``, all of one length.

        Returns:
            Two tensors, ``(layers + 1, batch, frames, dim)``. Layer 0 is the input of
            block 1; the last layer is normalised, even if blocks are not (Large).
        """
        if self.normalize:
            waves = F.layer_norm(waves, waves.shape[-1:])
        frames = self.layer_norm(self.feature_extractor(waves).transpose(1, 2))
        speech = self.encoder(self.post_extract_proj(frames))
        return speech, self.unit_encoder(speech[-1])


class _PositionConvolution(nn.Module):
    """A convolution with weight normalisation: a direction and a norm for each tap."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.ones(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.randn(dim, dim // groups, kernel))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, dim, frames)`` to the same shape."""
        norm = torch.linalg.vector_norm(self.weight_v, dim=(0, 1), keepdim=True)
        weight = self.weight_v * (self.weight_g / norm)
        padding = weight.shape[-1] // 2
        y = F.conv1d(x, weight, self.bias, padding=padding, groups=self.groups)
        return y[..., : x.shape[-1]]  # an even kernel adds one frame


class _Distances(nn.Module):
    """A learned vector for each distance between two frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.pe_k = nn.Embedding(2 * FARTHEST, dim)

    def rows(self, frames: int) -> Tensor:
        """Return the row of ``pe_k`` for each query and key, ``(frames, frames)``."""
        frame = torch.arange(frames, device=self.pe_k.weight.device)
        distance = frame[:, None] - frame[None, :]
        return distance.clamp(-FARTHEST, FARTHEST - 1) + FARTHEST


class _Blocks(nn.Module):
    """A transformer's blocks and the distances that they share."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        self.pre_norm = sizes.pre_norm
        self.layers = nn.ModuleList(_Block(sizes) for _ in range(sizes.layers))
        self.pos_emb = _Distances(sizes.dim // sizes.heads)

    def run(self, x: Tensor) -> list[Tensor]:
        """Return the input of the first block and each output, not normalised."""
        rows = self.pos_emb.rows(x.shape[1])
        states = [x]
        for block in self.layers:
            states.append(block(states[-1], self.pos_emb.pe_k.weight, rows))
        return states


class _Speech(_Blocks):
    """The speech transformer, with a positional convolution."""

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__(config.speech)
        dim = config.speech.dim
        self.pos_conv = nn.Sequential(
            _PositionConvolution(dim, config.position_kernel, config.position_groups),
            nn.GELU(),
        )
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(layers + 1, batch, frames, dim)`` for ``(batch, frames, dim)``."""
        x = x + self.pos_conv(x.transpose(1, 2)).transpose(1, 2)
        states = self.run(x if self.pre_norm else self.layer_norm(x))
        if self.pre_norm:
            states[-1] = self.layer_norm(states[-1])
        return torch.stack(states)


class _Unit(_Blocks):
    """The unit transformer, with learned position embeddings."""

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__(config.unit)
        dim = config.unit.dim
        self.embed_positions = nn.Embedding(_FIRST_POSITION + config.positions, dim)
        self.layernorm_embedding = nn.LayerNorm(dim)
        self.layer_norm = nn.LayerNorm(dim) if self.pre_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(layers + 1, batch, frames, dim)`` for ``(batch, frames, dim)``."""
        position = torch.arange(x.shape[1], device=x.device) + _FIRST_POSITION
        last = self.embed_positions.num_embeddings - 1
        x = x + self.embed_positions(position.clamp(max=last))
        states = self.run(self.layernorm_embedding(x))
        states[-1] = self.layer_norm(states[-1])
        return torch.stack(states)


class _Block(nn.Module):
    """Attention and a feed-forward part."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        self.pre_norm = sizes.pre_norm
        self.self_attn = _Attention(sizes.dim, sizes.heads)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.dim)
        self.fc1 = nn.Linear(sizes.dim, sizes.feed_forward)
        self.fc2 = nn.Linear(sizes.feed_forward, sizes.dim)
        self.final_layer_norm = nn.LayerNorm(sizes.dim)
        if sizes.pre_norm:  # post-norm checkpoints have one too, but never use it
            self.norm_k = nn.LayerNorm(sizes.dim // sizes.heads)

    def forward(self, x: Tensor, distances: Tensor, rows: Tensor) -> Tensor:
        """Map ``(batch, frames, dim)`` to the same shape."""
        if self.pre_norm:
            entering = self.self_attn_layer_norm(x)
            x = x + self.self_attn(entering, self.norm_k(distances), rows)
            return x + self._feed_forward(self.final_layer_norm(x))
        x = self.self_attn_layer_norm(x + self.self_attn(x, distances, rows))
        normed: Tensor = self.final_layer_norm(x + self._feed_forward(x))
        return normed

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _Attention(nn.Module):
    """Attention with a learned vector for the distance of each query and key."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, distances: Tensor, rows: Tensor) -> Tensor:
        """Map ``(batch, frames, dim)`` to the same shape.

        Args:
            x: ``(batch, frames, dim)``.
            distances: ``(2 * FARTHEST, dim of a head)``.
            rows: ``(frames, frames)``, the row of ``distances`` for each query and key.
        """
        query, key, value = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        query = query * query.shape[-1] ** -0.5
        # All distances of a query once, then a gather: less work than for each pair.
        products = query @ distances.T
        bias = products.gather(-1, rows.expand(*products.shape[:3], -1))
        out = F.scaled_dot_product_attention(query, key, value, bias, scale=1.0)
        projected: Tensor = self.out_proj(out.transpose(1, 2).flatten(2))
        return projected
