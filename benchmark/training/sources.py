"""Stored features as a head reads them: batches of layered features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.benchmark.store.feature_store import FeatureReader
from nserbench.benchmark.training.moments import Moments, Statistics
from nserbench.upstreams.base import Groups, GroupSpec, LayeredFeatures, LayerGroup

_READ = 256  # rows whose statistics are taken together


class FeatureSource(Protocol):
    """Features of the utterances of a corpus, by row."""

    @property
    def lengths(self) -> Tensor | None:
        """``(rows,)`` frames of each, or None where all are alike."""
        ...

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Give the features of some rows."""
        ...

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over what `batch` gives of some rows.

        Of means over time for a pooled head, of all valid frames for a head on frames:
        the deviation of means is several times smaller than that of frames.
        """
        ...


class PooledSource:
    """Means over time, in memory.

    Args:
        features: Where they are stored.
        keys: The key of each row.
        stored: All groups that the upstream gives, with all their layers.
        wanted: The groups and layers to read.
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
                read_pooled(features, keys, name, places(stored[name], spec.layers))
            )
            for name, spec in wanted.items()
        }

    @property
    def states(self) -> Mapping[str, Tensor]:
        """The means, ``(layers, rows, dim)`` of each group."""
        return self._states

    def batch(self, rows: Tensor) -> LayeredFeatures:
        """Give the features of some rows, one frame each."""
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


class FrameSource:
    """All valid frames, read from the store batch by batch.

    Args:
        features: Where they are stored.
        keys: The key of each row.
        stored: All groups that the upstream gives, with all their layers.
        wanted: The groups and layers to read.

    Attributes:
        groups: The same.
        lengths: ``(rows,)`` frames of each in all groups together.
    """

    def __init__(
        self,
        features: FeatureReader,
        keys: Sequence[str],
        stored: Groups,
        wanted: Groups,
    ) -> None:
        self.groups = wanted
        self._features = features
        self._keys = keys
        self._places = {
            name: places(stored[name], spec.layers) for name, spec in wanted.items()
        }
        self._frames = {
            name: torch.tensor([features.frames(key, name) for key in keys])
            for name in wanted
        }
        self.lengths: Tensor | None = torch.stack(list(self._frames.values())).sum(0)

    def batch(self, rows: Tensor, buffers: Buffers | None = None) -> LayeredFeatures:
        """Give the features of some rows, padded with zeros to the longest.

        Args:
            rows: ``(n,)`` row numbers.
            buffers: Where to put them; new ones unless given.
        """
        into = buffers or Buffers()
        return {name: self._group(name, rows, into) for name in self.groups}

    def frames(self, name: str) -> Tensor:
        """Give the valid frames of each row in a group, ``(rows,)``."""
        return self._frames[name]

    def states_of(self, name: str, row: int) -> Tensor:
        """Read a group of one row, ``(layers, frames, dim)`` float16."""
        found = self._features.read("frames", self._keys[row], name, self._places[name])
        return torch.from_numpy(found)

    def statistics(self, rows: Tensor) -> Statistics:
        """Return mean and standard deviation over the valid frames of some rows.

        Every row is read once, and none is kept.
        """
        moments = Moments()
        for row in rows.tolist():
            for name in self.groups:
                moments.add(name, self.states_of(name, row))
        return moments.statistics()

    def _group(self, name: str, rows: Tensor, buffers: Buffers) -> LayerGroup:
        spec, lengths = self.groups[name], self._frames[name][rows]
        shape = len(spec.layers), len(rows), int(lengths.max()), spec.dim
        states = buffers.take(name, shape)
        for place, row in enumerate(rows.tolist()):
            found = self.states_of(name, row)
            states[:, place, : found.shape[1]] = found
            states[:, place, found.shape[1] :] = 0
        return LayerGroup(states, lengths)


class Buffers:
    """Memory for a batch, to be used for the next one again.

    Fresh memory costs more than what is written into it: its pages come one by one.

    Args:
        device: Where it is.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._whole: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Give a float32 tensor that holds anything, and overwrites the one before.

        Args:
            name: Whose it is.
            shape: Its shape.
        """
        size = math.prod(shape)
        if name not in self._whole or len(self._whole[name]) < size:
            self._whole[name] = torch.empty(size, device=self.device)
        return self._whole[name][:size].view(shape)


def read_pooled(
    features: FeatureReader, keys: Sequence[str], group: str, layers: range
) -> NDArray[np.float32]:
    """Read many utterances' pooled layers, ``(layers, utterances, dim)``."""
    return np.stack([features.read("pooled", key, group, layers) for key in keys], 1)


def places(stored: GroupSpec, layers: range) -> range:
    """Turn layer numbers into places on the stored layer axis.

    Examples:
        >>> places(GroupSpec(range(1, 5), dim=8, rate=None), range(3, 5))
        range(2, 4)
    """
    first = stored.layers.start
    return range(layers.start - first, layers.stop - first)
