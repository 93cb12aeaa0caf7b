"""Heads that are trained together, and the batches of each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.benchmark.training.batching import shuffled_rows
from nserbench.benchmark.training.feature_statistics import Moments
from nserbench.benchmark.training.fit_one import FitSeeds, note_received
from nserbench.benchmark.training.sources import Buffers
from nserbench.downstreams.kernels.mask_dropout import Dropout, draw, to_masks
from nserbench.upstreams.base import LayerGroup

_READ = 256  # rows that are added to the statistics at once


@dataclass(frozen=True, slots=True)
class HeadTraining:
    """A head to be trained.

    Attributes:
        head: The head with fresh weights; trained in place. It has ``fuse``.
        layers: The layers it reads of each group, as indices on the layer axis.
        rows: ``(n,)`` rows of its training set.
        dev: ``(m,)`` rows of its dev set, which chooses the epoch; None to take the
            last epoch.
    """

    head: nn.Module
    layers: Mapping[str, range]
    rows: Tensor
    epochs: int
    seeds: FitSeeds
    dev: Tensor | None = None

    def lowered(self, first: Mapping[str, int]) -> HeadTraining:
        """Return the same with layer indices that count from another first layer."""
        layers = {
            name: range(read.start - first[name], read.stop - first[name])
            for name, read in self.layers.items()
        }
        return replace(self, layers=layers)

    def steps(self, size: int) -> int:
        """Return the number of steps of all epochs, with batches of ``size``."""
        return self.epochs * -(-len(self.rows) // size)


class BatchStream:
    """The batches of a head, one epoch after another, and its dropout generator.

    Args:
        rows: ``(n,)`` rows of the training set.
    """

    def __init__(self, rows: Tensor, seeds: FitSeeds, size: int) -> None:
        self.dropout = torch.Generator().manual_seed(seeds.seed_for("dropout"))
        self._rows, self._size = rows, size
        self._order = torch.Generator().manual_seed(seeds.seed_for("order"))
        self._waiting = rows.new_empty(0, size)
        self._done = 0
        counts = F.pad(torch.ones(len(rows)), (0, -len(rows) % size))
        self._counts = counts.view(-1, size)

    def draw(self, steps: int) -> tuple[Tensor, Tensor]:
        """Return rows, and 1 for rows that count, 0 for others, both ``(steps, size)``.

        The last batch of an epoch is filled up with rows that do not count.
        """
        epoch = len(self._counts)
        while len(self._waiting) < steps:
            order = shuffled_rows(self._rows, self._order)
            order = F.pad(order, (0, epoch * self._size - len(order)))
            self._waiting = torch.cat([self._waiting, order.view(epoch, self._size)])
        rows, self._waiting = self._waiting[:steps], self._waiting[steps:]
        batches = torch.arange(self._done, self._done + steps) % epoch
        self._done += steps
        return rows, self._counts[batches]


@dataclass(frozen=True, slots=True)
class DrawnBatches:
    """The batches and the random bits of the masks of some steps.

    Attributes:
        rows: ``(steps, heads, batch)`` rows of the features.
        counts: ``(steps, heads, batch)`` 1 for rows that count, 0 for others.
        bits: Random bits of each dropout, by its name, ``(steps, heads, ...)``.
    """

    rows: Tensor
    counts: Tensor
    bits: Mapping[str, Tensor]


class StackedBatches:
    """The batches and dropout masks of heads that train together.

    Args:
        states: ``(layers, all rows, dim)`` of each group.
    """

    def __init__(
        self,
        trainings: Sequence[HeadTraining],
        states: Mapping[str, Tensor],
        dropouts: Mapping[str, Dropout],
        size: int,
        device: str,
    ) -> None:
        self._streams = [BatchStream(head.rows, head.seeds, size) for head in trainings]
        self._dropouts, self._size, self._device = dropouts, size, device
        self._memory = Buffers(device)
        groups = trainings[0].layers
        self._flat = {name: states[name].flatten(0, 1) for name in groups}
        self._offsets = {
            name: torch.tensor(
                [
                    [layer * states[name].shape[1] for layer in head.layers[name]]
                    for head in trainings
                ],
                device=device,
            )[:, :, None]
            for name in groups
        }

    def draw(self, heads: int, steps: int) -> DrawnBatches:
        """Draw the batches and the random bits of masks for some steps.

        Args:
            heads: Number of heads, from the first.
        """
        streams = self._streams[:heads]
        drawn = [stream.draw(steps) for stream in streams]
        rows, counts = (torch.stack(values, 1) for values in zip(*drawn, strict=True))
        bits = {
            name: torch.stack(
                [
                    draw(dropout.p, steps, (self._size, dropout.width), stream.dropout)
                    for stream in streams
                ],
                1,
            )
            for name, dropout in self._dropouts.items()
        }
        return DrawnBatches(rows.to(self._device), counts.to(self._device), bits)

    def masks(self, drawn: DrawnBatches, step: int) -> list[Tensor]:
        """Return the masks of each dropout for one step, ``(heads, batch, width)``."""
        masks = []
        for name, dropout in self._dropouts.items():
            bits = drawn.bits[name][step].to(self._device)
            shape = self._size, dropout.width
            into = self._memory.take(name, (len(bits), *shape))
            masks.append(to_masks(bits, dropout.p, shape, into))
        return masks

    def features(self, rows: Tensor) -> dict[str, Tensor]:
        """Return a batch of features for each head, valid until the next call.

        Args:
            rows: ``(heads, batch)`` rows, from the first head.
        """
        return self._gather(rows, 0, self._memory)

    def features_of(self, number: int, rows: Tensor) -> dict[str, Tensor]:
        """Return the features of some rows for one head, ``(layers, rows, dim)``."""
        # A CUDA graph keeps writing to the memory of `features`, which must not move.
        gathered = self._gather(rows[None], number, Buffers(self._device))
        return {name: states[0] for name, states in gathered.items()}

    def _gather(self, rows: Tensor, first: int, memory: Buffers) -> dict[str, Tensor]:
        heads, batch = rows.shape
        gathered = {}
        for name, flat in self._flat.items():
            indices = self._offsets[name][first : first + heads] + rows[:, None]
            states = memory.take(name, (indices.numel(), flat.shape[-1]))
            torch.index_select(flat, 0, indices.flatten(), out=states)
            gathered[name] = states.view(heads, -1, batch, flat.shape[-1])
        return gathered


def received_scales(
    training: HeadTraining, states: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return the standard deviation of a head's input, by group."""
    received, device = Moments(), next(training.head.parameters()).device
    for rows in training.rows.split(_READ):
        lengths = torch.ones(len(rows), dtype=torch.int64, device=device)
        pooled = {
            name: states[name][layers.start : layers.stop, rows].to(device)
            for name, layers in training.layers.items()
        }
        groups = {n: LayerGroup(m.unsqueeze(2), lengths) for n, m in pooled.items()}
        note_received(received, training.head, groups)
    return received.scales()
