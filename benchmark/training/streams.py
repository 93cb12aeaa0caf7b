"""Heads to be trained beside others, and the batches that each of them sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.benchmark.training.batching import shuffled_rows
from nserbench.benchmark.training.fit_one import FitSeeds, note_received
from nserbench.benchmark.training.moments import Moments
from nserbench.upstreams.base import LayerGroup

_RECEIVED = 256  # rows whose scale is taken together


@dataclass(frozen=True, slots=True)
class HeadTraining:
    """A head to be trained.

    Attributes:
        head: With fresh weights; trained in place. It has ``fuse``.
        layers: The layers it reads of each group, as places on the layer axis.
        rows: ``(n,)`` its training part.
        epochs: Passes over it.
        seeds: Decides its batches and its dropout.
        dev: ``(m,)`` the part that selects the epoch; None to take the last.
    """

    head: nn.Module
    layers: Mapping[str, range]
    rows: Tensor
    epochs: int
    seeds: FitSeeds
    dev: Tensor | None = None

    def lowered(self, first: Mapping[str, int]) -> HeadTraining:
        """Count the layers of each group from another first place."""
        layers = {
            name: range(one.start - first[name], one.stop - first[name])
            for name, one in self.layers.items()
        }
        return replace(self, layers=layers)

    def steps(self, size: int) -> int:
        """Give the steps of all epochs, with batches of ``size``."""
        return self.epochs * -(-len(self.rows) // size)


class BatchStream:
    """The batches of a run, all epochs in a row, and its masks.

    Args:
        run: The run.
        size: Rows in a batch.
    """

    def __init__(self, run: HeadTraining, size: int) -> None:
        self.run = run
        self.size = size
        self.masks = torch.Generator().manual_seed(run.seeds.seed_for("dropout"))
        self._order = torch.Generator().manual_seed(run.seeds.seed_for("order"))
        self._waiting = run.rows.new_empty(0, size)
        self._done = 0
        counts = F.pad(torch.ones(len(run.rows)), (0, -len(run.rows) % size))
        self._counts = counts.view(-1, size)

    def draw(self, steps: int) -> tuple[Tensor, Tensor]:
        """Give the rows and whether each counts, 1 or 0, both ``(steps, size)``.

        A batch that is short is filled up with rows that do not.
        """
        epoch = len(self._counts)
        while len(self._waiting) < steps:
            dealt = shuffled_rows(self.run.rows, self._order)
            dealt = F.pad(dealt, (0, epoch * self.size - len(dealt)))
            self._waiting = torch.cat([self._waiting, dealt.view(epoch, self.size)])
        rows, self._waiting = self._waiting[:steps], self._waiting[steps:]
        places = torch.arange(self._done, self._done + steps) % epoch
        self._done += steps
        return rows, self._counts[places]


def received_scales(
    run: HeadTraining, states: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return the standard deviation of what the head of a run receives, by group."""
    received, device = Moments(), next(run.head.parameters()).device
    for rows in run.rows.split(_RECEIVED):
        ones = torch.ones(len(rows), dtype=torch.int64, device=device)
        pooled = {
            name: states[name][layers.start : layers.stop, rows].to(device)
            for name, layers in run.layers.items()
        }
        groups = {n: LayerGroup(one.unsqueeze(2), ones) for n, one in pooled.items()}
        note_received(received, run.head, groups)
    return received.scales()
