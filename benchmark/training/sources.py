"""Read batches of stored features, as a head reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.benchmark.store.feature_store import FeatureReader, Form
from nserbench.benchmark.store.frame_codes import RANGE_BYTES, range_of
from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.upstreams.base import LayeredFeatures, LayerGroup
from nserbench.upstreams.groups import Groups, GroupSpec

_READ = 256  # rows that are added to the statistics at once


class FeatureSource(Protocol):
    """The features of a corpus, a row for each utterance."""

    @property
    def lengths(self) -> Tensor | None:
        """``(rows,)`` frames of each row; None if all have the same."""
        ...

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Return the features of some rows."""
        ...

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over the features of some rows.

        Over means over time for a pooled head, over valid frames for a head on frames:
        the deviation of means is several times smaller than that of frames.
        """
        ...


class PooledSource:
    """Features averaged over time, in memory.

    Args:
        stored: All groups of the upstream with all their layers.
    """

    lengths = None

    def __init__(
        self,
        features: FeatureReader,
        keys: Sequence[str],
        stored: Groups,
        wanted: Groups,
    ) -> None:
        self._states = {
            name: torch.from_numpy(
                read_pooled(
                    features, keys, name, layer_indices(stored[name], spec.layers)
                )
            )
            for name, spec in wanted.items()
        }

    @property
    def states(self) -> Mapping[str, Tensor]:
        """The means over time, ``(layers, rows, dim)`` of each group."""
        return self._states

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Return the features of some rows, one frame each."""
        ones = torch.ones(len(rows), dtype=torch.int64)
        return {
            name: LayerGroup(states[:, rows].unsqueeze(2), ones)
            for name, states in self._states.items()
        }

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over some rows' means over time."""
        moments = Moments()
        for name, states in self._states.items():
            for part in rows.split(_READ):
                moments.add(name, states[:, part])
        return moments.statistics()


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """The frames of a group as they are stored.

    Attributes:
        values: ``(layers, frames, dim)`` float16, or uint8 codes.
        ranges: ``(layers, 2, dim)`` float32 for codes: lowest value and size of a step.
    """

    values: Tensor
    ranges: Tensor | None = None

    def copy_to(self, place: Tensor) -> None:
        """Write the frames into a float32 tensor of the same shape."""
        if self.ranges is None:
            place.copy_(self.values)
        else:
            torch.mul(self.values, self.ranges[:, 1:], out=place)
            place.add_(self.ranges[:, :1])

    def widened(self) -> Tensor:
        """Return the frames in float32."""
        wide = torch.empty(self.values.shape, device=self.values.device)
        self.copy_to(wide)
        return wide


class FrameSource:
    """Features of all valid frames, read from the store batch by batch.

    Args:
        stored: All groups of the upstream with all their layers.
        form: Form in which the frames are stored.

    Attributes:
        lengths: ``(rows,)`` frames of each row, summed over groups.
    """

    def __init__(
        self,
        features: FeatureReader,
        keys: Sequence[str],
        stored: Groups,
        wanted: Groups,
        form: Form = "frames",
    ) -> None:
        self.groups = wanted
        self.form: Form = form
        self._features = features
        self._keys = keys
        self._layers = {
            name: layer_indices(stored[name], spec.layers)
            for name, spec in wanted.items()
        }
        self._frames = {
            name: torch.tensor([features.frames(form, k, name, layers) for k in keys])
            for name, layers in self._layers.items()
        }
        self.lengths: Tensor | None = torch.stack(list(self._frames.values())).sum(0)

    def batch(self, rows: Tensor, buffers: Buffers | None = None) -> LayeredFeatures:
        """Return the features of some rows, padded with zeros to the longest.

        Args:
            rows: ``(n,)`` row numbers.
            buffers: Memory for the batch; None to allocate new memory.
        """
        buffers = buffers or Buffers()
        return {name: self._group(name, rows, buffers) for name in self.groups}

    @property
    def dtype(self) -> torch.dtype:
        """Type of the stored values."""
        return torch.uint8 if self.form == "frames_int8" else torch.float16

    @property
    def size(self) -> int:
        """Bytes of all frames, as they are stored."""
        size = 0
        for name, spec in self.groups.items():
            column = len(spec.layers) * spec.dim
            size += column * int(self._frames[name].sum()) * self.dtype.itemsize
            if self.form == "frames_int8":
                size += column * len(self._keys) * RANGE_BYTES
        return size

    def frames(self, name: str) -> Tensor:
        """Return the number of valid frames of each row in a group, ``(rows,)``."""
        return self._frames[name]

    def stored(self, name: str, row: int) -> StoredFrames:
        """Read a group of one row."""
        values = self._read(name, name, row)
        if self.form != "frames_int8":
            return StoredFrames(values)
        return StoredFrames(values, self._read(name, range_of(name), row))

    def _read(self, name: str, array: str, row: int) -> Tensor:
        key, layers = self._keys[row], self._layers[name]
        return torch.from_numpy(self._features.read(self.form, key, array, layers))

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over the valid frames of some rows.

        Every row is read once and not kept in memory.
        """
        moments = Moments()
        for row in rows.tolist():
            for name in self.groups:
                moments.add(name, self.stored(name, row).widened())
        return moments.statistics()

    def _group(self, name: str, rows: Tensor, buffers: Buffers) -> LayerGroup:
        spec, lengths = self.groups[name], self._frames[name][rows]
        shape = len(spec.layers), len(rows), int(lengths.max()), spec.dim
        states = buffers.take(name, shape)
        for number, row in enumerate(rows.tolist()):
            frames = self.stored(name, row)
            end = frames.values.shape[1]
            frames.copy_to(states[:, number, :end])
            states[:, number, end:] = 0
        return LayerGroup(states, lengths)


class Buffers:
    """Memory of a batch that is used again for the next batch.

    To allocate new memory takes longer than to write into it.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._whole: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return an uninitialised float32 tensor in the memory of the one before."""
        size = math.prod(shape)
        if name not in self._whole or len(self._whole[name]) < size:
            self._whole[name] = torch.empty(size, device=self.device)
        return self._whole[name][:size].view(shape)


def read_pooled(
    features: FeatureReader, keys: Sequence[str], group: str, layers: range
) -> NDArray[np.float32]:
    """Read many utterances' pooled layers, ``(layers, utterances, dim)``."""
    return np.stack([features.read("pooled", key, group, layers) for key in keys], 1)


def layer_indices(stored: GroupSpec, layers: range) -> range:
    """Return the indices of layers on the stored layer axis.

    Examples:
        >>> layer_indices(GroupSpec(range(1, 5), dim=8, rate=None), range(3, 5))
        range(2, 4)
    """
    first = stored.layers.start
    return range(layers.start - first, layers.stop - first)
