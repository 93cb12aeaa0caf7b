"""Keep the frames of a whole corpus in GPU memory, if they fit."""

from __future__ import annotations

import torch
from torch import Tensor

from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.benchmark.training.sources import (
    FeatureSource,
    FrameSource,
    StoredFrames,
)
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

SHARE = 0.5
"""Share of a GPU's free memory for features; training needs the rest."""


class GpuSource:
    """The batches of a `FrameSource`, from features in GPU memory.

    Frames follow one another in float16 or in 8 bits, as in the store. On the fastest
    GPUs a training step takes less time than to copy its features from disk to GPU.
    """

    def __init__(self, source: FrameSource, device: str) -> None:
        self._source, self._device = source, device
        self.lengths = source.lengths
        self._whole: dict[str, Tensor] = {}
        self._ranges: dict[str, Tensor] = {}  # (layers, rows, 2, dim)
        self._ends: dict[str, Tensor] = {}
        for name, spec in source.groups.items():
            frames = source.frames(name)
            self._ends[name] = frames.cumsum(0).to(device)
            shape = len(spec.layers), int(frames.sum()), spec.dim
            self._whole[name] = torch.empty(shape, dtype=source.dtype, device=device)
            parts = self._whole[name].split(frames.tolist(), dim=1)
            ranges = []
            for row, part in enumerate(parts):
                stored = source.stored(name, row)
                part.copy_(stored.values)
                if stored.ranges is not None:
                    ranges.append(stored.ranges)
            if ranges:
                self._ranges[name] = torch.stack(ranges, 1).to(device)

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Return the features of some rows, padded with zeros to the longest."""
        return {name: self._group(name, rows) for name in self._whole}

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over the valid frames of some rows."""
        moments = Moments()
        for name, whole in self._whole.items():
            parts = whole.split(self._source.frames(name).tolist(), dim=1)
            for row in rows.tolist():
                moments.add(name, self._stored(name, parts[row], row).widened())
        return moments.statistics()

    def _stored(self, name: str, values: Tensor, row: int) -> StoredFrames:
        ranges = self._ranges.get(name)
        return StoredFrames(values, None if ranges is None else ranges[:, row])

    def _group(self, name: str, rows: Tensor) -> LayerGroup:
        frames, whole = self._source.frames(name)[rows], self._whole[name]
        lengths = frames.to(self._device)
        frame = torch.arange(int(frames.max()), device=self._device)
        valid = frame < lengths[:, None]
        starts = self._ends[name][rows.to(self._device)] - lengths
        indices = torch.where(valid, starts[:, None] + frame, 0)
        states = whole.index_select(1, indices.flatten()).float()
        states = states.view(len(whole), *indices.shape, -1)
        if (ranges := self._ranges.get(name)) is not None:
            of_rows = ranges[:, rows.to(self._device)]
            states = states.mul_(of_rows[:, :, 1:]).add_(of_rows[:, :, :1])
        return LayerGroup(states.mul_(valid[..., None]), lengths)


def on_device(source: FeatureSource, device: str) -> FeatureSource:
    """Return a source with its frames in GPU memory, or the same if they do not fit."""
    if not isinstance(source, FrameSource):
        return source
    fits = source.size <= SHARE * free_memory(device)
    return GpuSource(source, device) if fits else source


def free_memory(device: str) -> int:
    """Return the free bytes of a GPU; 0 for a CPU, where the system caches files."""
    if not device.startswith("cuda"):
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return free
