"""MV-BiSSM: several views of speech, each read both ways, that attend to each other.

Built from one line, "multi-view bidirectional sequential self-attention"; it is not
the authors' system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.errors import MissingExtra
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.loading.configs import MEL_BANDS
from nserbench.upstreams.mel import Mel
from nserbench.upstreams.systems.deltas import with_deltas
from nserbench.upstreams.systems.mv_bissm_options import DESCRIPTORS, STACKED
from nserbench.upstreams.systems.padded import FrameNorm, valid_frames
from nserbench.upstreams.systems.selective_scan import (
    BothWays,
    LstmCell,
    SelectiveScan,
)

if TYPE_CHECKING:
    from opensmile import Smile

HEADS = 4
"""Heads of the attention."""

STATES = 8
"""States of each feature in a selective state space."""


class View(nn.Module):
    """A view of speech: z-scored, four frames stacked, read in both directions."""

    def __init__(self, width: int, options: Options) -> None:
        super().__init__()
        dim = options["dim"]
        self.norm = FrameNorm(width)
        self.stack = nn.Linear(STACKED * width, dim)
        self.layers = nn.ModuleList(
            BothWays(dim, _cell(options), _cell(options))
            for _ in range(options["depth"])
        )

    def forward(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn ``(batch, frames, width)`` into ``(batch, frames / 4, dim)``.

        Returns:
            The states and the lengths; frames at the end that fill no stack are left
            out.
        """
        normed, frames = self.norm(states, lengths), states.shape[1] // STACKED
        whole = normed[:, : frames * STACKED].reshape(len(states), frames, -1)
        sequence, stacked = self.stack(whole), lengths // STACKED
        for layer in self.layers:
            sequence = layer(sequence, stacked)
        return sequence, stacked


class ViewAttention(nn.Module):
    """Self-attention of several heads over the normed states of a sequence."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm, self.enter = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim)
        self.leave = nn.Linear(dim, dim)

    def forward(self, sequence: Tensor, valid: Tensor) -> Tensor:
        """Turn ``(batch, frames, dim)`` into the same shape.

        Args:
            sequence: The states.
            valid: ``(batch, frames)``, which of them are no padding.
        """
        entered = self.enter(self.norm(sequence)).unflatten(2, (3, HEADS, -1))
        query, key, value = entered.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=valid[:, None, None]
        )
        left: Tensor = self.leave(attended.transpose(1, 2).flatten(2))
        return left


class ViewNetwork(nn.Module):
    """The weights: one `View` for each view, attention over all, pooling."""

    def __init__(self, widths: Sequence[int], options: Options) -> None:
        super().__init__()
        dim = options["dim"]
        self.views = nn.ModuleList(View(width, options) for width in widths)
        self.names = nn.Parameter(0.02 * torch.randn(len(widths), dim))
        self.attention = ViewAttention(dim)
        self.pool = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1))

    def forward(self, views: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Turn views, each states and lengths, into one vector: ``(batch, dim)``."""
        sequences, masks = [], []
        for view, name, (states, lengths) in zip(
            self.views, self.names, views, strict=True
        ):
            sequence, stacked = view(states, lengths)
            sequences.append(sequence + name)
            masks.append(valid_frames(stacked, sequence.shape[1]))
        sequence, valid = torch.cat(sequences, dim=1), torch.cat(masks, dim=1)
        sequence = sequence + self.attention(sequence, valid)
        scores = self.pool(sequence).masked_fill(~valid[..., None], -torch.inf)
        vector: Tensor = (scores.softmax(dim=1) * sequence).sum(dim=1)
        return vector


class MVBiSSM(Upstream):
    """Log-mel, its first and its second differences, and with ``lld=yes`` eGeMAPS."""

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._mel = Mel(options, device)
        self._smile = _egemaps() if options["lld"] else None
        widths = [MEL_BANDS] * 3 + [DESCRIPTORS] * bool(options["lld"])
        self._network = ViewNetwork(widths, options).eval().to(device)
        self.model = self._network

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``embedding``: one vector for each utterance."""
        embedding = self._network([*self._views(batch)])
        ones = torch.ones(len(embedding), dtype=torch.int64, device=embedding.device)
        return {"embedding": LayerGroup(embedding[None, :, None], ones)}

    def _views(self, batch: Batch) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield states ``(batch, frames, width)`` and lengths of each view."""
        mel = self._mel.forward(batch)["mel"]
        clips = [
            with_deltas(clip[None, :length])[0]
            for clip, length in zip(mel.states[0], mel.lengths.tolist(), strict=True)
        ]
        for view in LayerGroup.pad(clips).states:
            yield view, mel.lengths
        if self._smile is not None:
            from nserbench.upstreams.opensmile.upstream import descriptors

            rows = [descriptors(self._smile, wave) for wave in batch.waves]
            frames = [torch.from_numpy(row)[None].to(self.device) for row in rows]
            group = LayerGroup.pad(frames)
            yield group.states[0], group.lengths


def _cell(options: Options) -> nn.Module:
    dim = options["dim"]
    return LstmCell(dim) if options["cell"] == "lstm" else SelectiveScan(dim, STATES)


def _egemaps() -> Smile:
    try:
        import opensmile
    except ImportError as error:
        raise MissingExtra("mv-bissm:lld=yes", "opensmile") from error
    return opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )
