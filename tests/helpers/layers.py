"""What tests of layered features share."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nserbench.upstreams.base import Batch, LayerGroup


def only(batch: Batch, place: int) -> Batch:
    """Return one utterance of a batch."""
    return Batch(
        batch.ids[place : place + 1],
        batch.waves[place : place + 1],
        batch.texts[place : place + 1],
        batch.languages[place : place + 1],
    )


def each(batch: Batch) -> Iterator[Batch]:
    """Return the utterances of a batch one by one."""
    return (only(batch, place) for place in range(len(batch.waves)))


def valid(group: LayerGroup, place: int = 0) -> Tensor:
    """Return ``(layers, frames, dim)`` of one utterance, without padding."""
    return group.states[:, place, : int(group.lengths[place])]


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference in units of the largest state of each layer."""
    assert ours.shape == theirs.shape
    largest = theirs.abs().amax(dim=(1, 2), keepdim=True)
    return float(((ours - theirs) / largest).abs().max())
