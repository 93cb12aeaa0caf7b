"""What an array of features takes in the store."""

from __future__ import annotations

from collections.abc import Mapping

from nserbench.benchmark.store.feature_store import Entry, Form
from nserbench.benchmark.store.frame_codes import RANGE_BYTES

_BYTES: Mapping[Form, int] = {"pooled": 4, "frames": 2, "frames_int8": 1}


def array_bytes(entry: Entry, layers: int, frames: int, dim: int) -> int:
    """Return the bytes of an entry of one utterance; 0 for a transcript: it is short.

    Args:
        entry: What is stored.
        layers: All layers of the group, which count for means over time.
        frames: Its valid frames, which do not count for means over time.
        dim: Width of a layer.
    """
    if entry.form == "transcripts":
        return 0
    if entry.form == "pooled":
        return _BYTES["pooled"] * layers * dim
    ranges = RANGE_BYTES if entry.form == "frames_int8" else 0
    return len(entry.layers) * dim * (_BYTES[entry.form] * frames + ranges)
