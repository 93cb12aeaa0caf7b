"""The mean over the valid frames of an utterance."""

from __future__ import annotations

import torch
from torch import Tensor


def without_padding(states: Tensor, lengths: Tensor, fill: float = 0.0) -> Tensor:
    """Fill padding with one value.

    Args:
        states: ``(..., batch, frames, dim)``.
        lengths: ``(batch,)`` frames that are not padding.
        fill: Value of the padding.

    Returns:
        A copy of ``states``.
    """
    time = torch.arange(states.shape[-2], device=lengths.device)
    padding = (time >= lengths[:, None])[..., None]
    # Not a product with the mask: padding may hold NaN.
    return states.masked_fill(padding, fill)


def mean_over_time(states: Tensor, lengths: Tensor) -> Tensor:
    """Average over valid frames.

    Args:
        states: ``(..., batch, frames, dim)``.
        lengths: ``(batch,)`` frames, at least 1.

    Returns:
        ``(..., batch, dim)``.
    """
    return without_padding(states, lengths).sum(dim=-2) / lengths[:, None]
