"""Frames in 8 bits a value, and back.

A value is one of 256 steps from the lowest to the highest value of its layer and
dimension in the utterance. Such a range fits every dimension, however large it is, and
whatever its mean; one scale for a whole frame loses the small dimensions of a frame
that has a large one (docs/performance.md has the errors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 255
"""Steps from the lowest value to the highest."""

RANGE_BYTES = 8
"""Bytes of the range of a layer and dimension: two float32."""


def range_of(group: str) -> str:
    """Return the name of the array with the ranges of a group."""
    return f"{group}/range"


def encode(frames: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the codes and the ranges of frames.

    Args:
        frames: ``(layers, frames, dim)`` of each group, finite.

    Returns:
        For each group ``(layers, frames, dim)`` uint8, and under the name `range_of`
        it ``(layers, 2, dim)`` float32: the lowest value, and the size of a step.
    """
    encoded: dict[str, NDArray[Any]] = {}
    for group, values in frames.items():
        wide = values.astype(np.float32)
        low, high = wide.min(axis=1, keepdims=True), wide.max(axis=1, keepdims=True)
        step = (high - low) / LEVELS
        steps = (wide - low) / np.where(step > 0, step, 1)
        encoded[group] = np.rint(steps).astype(np.uint8)
        encoded[range_of(group)] = np.concatenate([low, step], axis=1)
    return encoded
