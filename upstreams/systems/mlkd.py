"""MLKD: a small student of noisy speech learns from several layers of a clean teacher.

Our reading of the public abstract of Liu et al., arXiv:2312.13556.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.cards import Options
from nserbench.upstreams.base import Batch, LayeredFeatures
from nserbench.upstreams.huggingface.model import SpeechEncoder
from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream
from nserbench.upstreams.systems.padded import mean_of_frames


class MLKD(PairUpstream):
    """The first blocks of a wav2vec 2.0, which learn on noisy speech.

    The whole wav2vec 2.0 receives the clean clip and stays as it is. The student's last
    layer, through a linear map for each supervising layer with ``heads=yes``, is to be
    each of these layers.

    Args:
        options: ``checkpoint`` and ``revision`` of the teacher; ``blocks``, ``layers``,
            ``heads``, ``l1`` and ``cosine``.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self._whole = SpeechEncoder(options, device)
        self._student = SpeechEncoder(options, device, options["blocks"])
        assert self._student.model is not None  # noqa: S101 - it has weights
        dim = self._student.model.config.hidden_size
        self._heads = nn.ModuleList(
            nn.Linear(dim, dim) if options["heads"] else nn.Identity()
            for _ in options["layers"]
        )
        parts = {"student": self._student.model, "heads": self._heads}
        self.model = nn.ModuleDict(parts).eval().to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``encoder`` of the student."""
        return self._student.forward(batch)

    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        """Return the group, and the losses ``l1`` and ``cosine``.

        Each is a mean over frames and over the supervising layers, times the option of
        that name: the mean absolute difference, and one minus the cosine.
        """
        features = self.forward(batch)
        group = features["encoder"]
        wanted = self._whole.extract(clean)["encoder"].states
        far: dict[str, list[Tensor]] = {"l1": [], "cosine": []}
        for head, layer in zip(self._heads, self.options["layers"], strict=True):
            guess, target = head(group.states[-1]), wanted[layer]
            distances = {
                "l1": (guess - target).abs().mean(dim=2),
                "cosine": 1 - F.cosine_similarity(guess, target, dim=2),
            }
            for name, values in distances.items():
                far[name].append(mean_of_frames(values, group.lengths))
        losses = {
            name: self.options[name] * torch.stack(values).mean(dim=0)
            for name, values in far.items()
        }
        return FeaturesAndLosses(features, losses)
