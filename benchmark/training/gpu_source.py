"""Frames of a whole corpus in the memory of a GPU, where they fit."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nserbench.benchmark.training.moments import Moments, Statistics
from nserbench.benchmark.training.sources import FeatureSource, FrameSource
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

SHARE = 0.5
"""Of a GPU's free memory that features may take; training needs the rest."""


class GpuSource:
    """What a `FrameSource` gives, without the way from the disk to the device.

    Frames lie one after another in float16, as in the store. On the fastest GPUs a step
    of training takes less time than to move its features there.

    Args:
        source: What is read, once.
        device: Where it is kept.
    """

    def __init__(self, source: FrameSource, device: str) -> None:
        self._source, self._device = source, device
        self.lengths = source.lengths
        self._whole: dict[str, Tensor] = {}
        self._ends: dict[str, Tensor] = {}
        for name, spec in source.groups.items():
            frames = source.frames(name)
            self._ends[name] = frames.cumsum(0).to(device)
            shape = len(spec.layers), int(frames.sum()), spec.dim
            self._whole[name] = torch.empty(shape, dtype=torch.float16, device=device)
            parts = self._whole[name].split(frames.tolist(), dim=1)
            for row, part in enumerate(parts):
                part.copy_(source.states_of(name, row))

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Give the features of some rows, padded with zeros to the longest."""
        return {name: self._group(name, rows) for name in self._whole}

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over the valid frames of some rows."""
        moments = Moments()
        for name, whole in self._whole.items():
            parts = whole.split(self._source.frames(name).tolist(), dim=1)
            for row in rows.tolist():
                moments.add(name, parts[row])
        return moments.statistics()

    def _group(self, name: str, rows: Tensor) -> LayerGroup:
        frames, whole = self._source.frames(name)[rows], self._whole[name]
        lengths = frames.to(self._device)
        place = torch.arange(int(frames.max()), device=self._device)
        there = place < lengths[:, None]
        starts = self._ends[name][rows.to(self._device)] - lengths
        places = torch.where(there, starts[:, None] + place, 0)
        states = whole.index_select(1, places.flatten()).float()
        states = states.view(len(whole), *places.shape, -1)
        return LayerGroup(states.mul_(there[..., None]), lengths)


def on_device(source: FeatureSource, device: str) -> FeatureSource:
    """Give a source whose features are where they are used, if they fit there."""
    if isinstance(source, FrameSource) and sum(_sizes(source)) <= SHARE * room(device):
        return GpuSource(source, device)
    return source


def room(device: str) -> int:
    """Give the free bytes of a GPU; 0 for a processor, whose system keeps files."""
    if not device.startswith("cuda"):
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return free


def _sizes(source: FrameSource) -> Iterator[int]:
    for name, spec in source.groups.items():
        yield 2 * len(spec.layers) * int(source.frames(name).sum()) * spec.dim
