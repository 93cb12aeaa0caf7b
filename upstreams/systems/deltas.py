"""The differences of features in time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 2
"""Frames on either side that a difference looks at."""


def with_deltas(features: Tensor) -> Tensor:
    """Return features with their first and second differences.

    Args:
        features: ``(batch, frames, dim)``.

    Returns:
        ``(batch, 3, frames, dim)``.
    """
    first = deltas(features)
    return torch.stack([features, first, deltas(first)], dim=1)


def deltas(features: Tensor) -> Tensor:
    """Return the slope of a line through each frame and two on either side.

    As `torchaudio.functional.compute_deltas` does it: the frames at the ends are
    repeated.

    Args:
        features: ``(batch, frames, dim)``.

    Returns:
        The same shape, per frame.
    """
    frames = features.shape[1]
    padded = F.pad(features.transpose(1, 2), (REACH, REACH), "replicate").transpose(
        1, 2
    )
    offsets = range(-REACH, REACH + 1)
    moved = [n * padded[:, REACH + n : REACH + n + frames] for n in offsets]
    return torch.stack(moved).sum(0) / sum(n * n for n in offsets)
