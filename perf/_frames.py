"""Store random frames of utterances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.training.sources import FrameSource
from nserbench.upstreams.groups import Groups


def stored_frames(root: Path, lengths: Tensor, groups: Groups) -> FrameSource:
    """Store random frames, and return a source that reads them.

    Args:
        root: New folder for the store.
        lengths: ``(n,)`` frames of each utterance, the same in all groups.
        groups: The layers and their width.
    """
    features, rng = Store(root).announce({}), np.random.default_rng(0)
    keys = [str(row) for row in range(len(lengths))]
    for key, length in zip(keys, lengths.tolist(), strict=True):
        frames = {
            name: rng.standard_normal((len(spec.layers), length, spec.dim), np.float32)
            for name, spec in groups.items()
        }
        means = {name: states.mean(axis=1) for name, states in frames.items()}
        features.write("pooled", {key: means}, {"seconds": "0"})
        half = {name: states.astype(np.float16) for name, states in frames.items()}
        features.write("frames", {key: half}, {"seconds": "0"})
    return FrameSource(features, keys, groups, groups)
