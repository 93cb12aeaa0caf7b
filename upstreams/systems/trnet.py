"""TRNet: noisy and enhanced speech are mixed, and a clean teacher guides the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.loading.configs import MEL_BANDS
from nserbench.upstreams.mel import Mel
from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream
from nserbench.upstreams.systems.cnn6 import Embedder
from nserbench.upstreams.systems.trnet_options import SAMPLES


@dataclass(frozen=True, slots=True)
class Refined:
    """What the network makes of noisy and enhanced speech.

    Attributes:
        spectrogram: ``(batch, frames, bands)``, the mix of both.
        embedding: ``(batch, dim)``.
    """

    spectrogram: Tensor
    embedding: Tensor


class Refiner(nn.Module):
    """The weights of TRNet.

    The lower level mixes the two spectrograms: how much of the noisy one is kept
    depends on how alike they are over time, band by band. The upper level scales and
    shifts the embedding by that share.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.share = nn.Linear(MEL_BANDS, 1)
        self.embedder = Embedder(MEL_BANDS, width, dim)
        self.scale, self.shift = nn.Linear(1, dim), nn.Linear(1, dim)
        # The share begins at a half (ours): from beyond 0 or 1 it would never move.
        nn.init.zeros_(self.share.weight)
        nn.init.constant_(self.share.bias, 0.5)

    def forward(self, noisy: Tensor, enhanced: Tensor) -> Refined:
        """Mix two spectrograms, ``(batch, frames, bands)``, and embed the mix."""
        alike = F.cosine_similarity(noisy, enhanced, dim=1)
        share = F.hardtanh(self.share(alike), 0.0, 1.0)
        mixed = share[..., None] * noisy + (1 - share[..., None]) * enhanced
        embedding = self.scale(share) * self.embedder(mixed) + self.shift(share)
        return Refined(mixed, embedding)


class TRNet(PairUpstream):
    """TRNet with both of its losses.

    Every clip is repeated or cut to five seconds, as its authors do. The teacher is the
    same backbone alone, trained on clean speech.
    """

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._mel = Mel(options, device)
        self._network = Refiner(options["width"], options["dim"]).eval().to(device)
        self.model = self._network

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``embedding``."""
        return _as_group(self._refined(batch).embedding)

    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        """Return the group, and the losses ``spectral`` and ``embedding``.

        These are mean squares, times the options of that name: of the mixed from the
        clean spectrogram, and of the embedding from the teacher's of the clean clip.
        """
        refined, wanted = self._refined(batch), self._spectrogram(clean.waves)
        squares = {
            "spectral": (refined.spectrogram - wanted).square().mean(dim=(1, 2)),
            "embedding": (refined.embedding - self._taught(clean)).square().mean(dim=1),
        }
        losses = {name: self.options[name] * value for name, value in squares.items()}
        return FeaturesAndLosses(_as_group(refined.embedding), losses)

    def _refined(self, batch: Batch) -> Refined:
        enhanced = self._spectrogram(batch.waves)
        noisy = enhanced
        if batch.unenhanced:
            noisy = self._spectrogram(batch.unenhanced)
        refined: Refined = self._network(noisy, enhanced)
        return refined

    def _taught(self, clean: Batch) -> Tensor:
        assert self.teacher is not None  # noqa: S101 - the card names one
        return self.teacher.extract(clean)["embedding"].states[0, :, 0]

    def _spectrogram(self, waves: Sequence[NDArray[np.float32]]) -> Tensor:
        return spectrogram(self._mel, waves)


class Backbone(Upstream):
    """The backbone of TRNet alone: a baseline of its authors, and the teacher."""

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._mel = Mel(options, device)
        embedder = Embedder(MEL_BANDS, options["width"], options["dim"])
        self.model: nn.Module = embedder.eval().to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``embedding``."""
        return _as_group(self.model(spectrogram(self._mel, batch.waves)))


def load(options: Options, device: str) -> Upstream:
    """Return TRNet, or its backbone alone with ``refine=no``."""
    return (TRNet if options["refine"] else Backbone)(options, device)


def spectrogram(mel: Mel, waves: Sequence[NDArray[np.float32]]) -> Tensor:
    """Return the log-mel spectrogram of five seconds of each wave.

    Returns:
        ``(batch, frames, bands)``.
    """
    whole = Batch.of(*(np.resize(wave, SAMPLES) for wave in waves))
    return mel.forward(whole)["mel"].states[0]


def _as_group(embedding: Tensor) -> Mapping[str, LayerGroup]:
    ones = torch.ones(len(embedding), dtype=torch.int64, device=embedding.device)
    return {"embedding": LayerGroup(embedding[None, :, None], ones)}
