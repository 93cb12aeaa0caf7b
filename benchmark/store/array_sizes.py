"""What an array of features takes in the store."""

from __future__ import annotations

from collections.abc import Mapping

from nserbench.benchmark.store.feature_store import Form
from nserbench.benchmark.store.frame_codes import RANGE_BYTES

_BYTES: Mapping[Form, int] = {"pooled": 4, "frames": 2, "frames_int8": 1}


def array_bytes(form: Form, layers: int, frames: int, dim: int) -> int:
    """Return the bytes of a group of one utterance; 0 for a transcript, which is short.

    Args:
        form: The form in which it is stored.
        layers: Its layers.
        frames: Its valid frames, which do not count for means over time.
        dim: Width of a layer.
    """
    if form == "transcripts":
        return 0
    values = layers * dim * (1 if form == "pooled" else frames)
    ranges = RANGE_BYTES * layers * dim if form == "frames_int8" else 0
    return _BYTES[form] * values + ranges
