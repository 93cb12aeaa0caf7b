"""Fitting one head on one training part, and reading its test part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nserbench.benchmark.store.digests import derived_seed
from nserbench.benchmark.training.batching import by_length, shuffled
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    grad_norm,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.moments import Moments, Statistics
from nserbench.benchmark.training.prefetch import Prefetch
from nserbench.benchmark.training.sources import FeatureSource
from nserbench.downstreams.base import Recipe
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

_READ = 32  # utterances in a batch of predictions


class Standardised(nn.Module):
    """A head on z-scored features; the statistics are saved with its weights.

    Args:
        head: The head.
        statistics: Of the training part.
    """

    def __init__(self, head: nn.Module, statistics: Statistics) -> None:
        super().__init__()
        self.head = head
        for name, (mean, deviation) in statistics.items():
            self.register_buffer(_buffer("mean", name), mean)
            self.register_buffer(_buffer("deviation", name), deviation)

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Give the head's logits, ``(batch, classes)``."""
        logits: Tensor = self.head(self.standardised(features))
        return logits

    def standardised(self, features: LayeredFeatures) -> LayeredFeatures:
        """Return the features as the head receives them: z-scored."""
        return {
            name: self._standardise(name, group) for name, group in features.items()
        }

    def fuse(self, pooled: Mapping[str, Tensor]) -> Tensor:
        """Give the head's logits of means over time; see `PooledHead.fuse`."""
        logits: Tensor = self.head.fuse(  # type: ignore[operator]
            {
                name: (states - self._of("mean", name)[:, None])
                / self._of("deviation", name)[:, None]
                for name, states in pooled.items()
            }
        )
        return logits

    def _of(self, kind: str, name: str) -> Tensor:
        found: Tensor = getattr(self, _buffer(kind, name))
        return found

    def _standardise(self, name: str, group: LayerGroup) -> LayerGroup:
        mean = self._of("mean", name)[:, None, None]
        deviation = self._of("deviation", name)[:, None, None]
        return LayerGroup((group.states - mean) / deviation, group.lengths)


def _buffer(kind: str, group: str) -> str:
    # torch takes no dots in the name of a buffer.
    return f"{kind}_{group.replace('.', '_')}"


@dataclass(frozen=True, slots=True)
class FitSeeds:
    """The sources of chance of a fit, which depend on its seed and fold alone.

    Attributes:
        seed: Of the cell.
        fold: That is tested.
    """

    seed: int
    fold: str

    def seed_for(self, purpose: str) -> int:
        """Give the seed for a purpose such as ``weights``."""
        return derived_seed(self.seed, self.fold, purpose)


def fit(
    head: nn.Module,
    source: FeatureSource,
    rows: Tensor,
    labels: Tensor,
    classes: int,
    recipe: Recipe,
    seeds: FitSeeds,
    device: str,
    dev: Tensor | None = None,
) -> EpochLog:
    """Train a head in place: Adam on the cross-entropy (Eq. 9).

    Args:
        head: On ``device``.
        source: The features.
        rows: ``(n,)`` the training part.
        labels: ``(all rows,)`` class numbers.
        classes: How many there are.
        recipe: How.
        seeds: Decides batches and dropout.
        device: Where to train.
        dev: ``(m,)`` the part that selects the epoch; None to take the last.

    Returns:
        What was seen. It ends with the epoch in which the loss was no longer finite.
    """
    optimiser = torch.optim.Adam(head.parameters(), lr=recipe.learning_rate)
    order = torch.Generator().manual_seed(seeds.seed_for("order"))
    weights = class_weights(labels[rows], classes, recipe).to(device)
    steps = recipe.epochs * -(-len(rows) // recipe.batch_size)
    paces = (lr_factor(recipe, step, steps) for step in range(steps))
    seen, best, received = EpochLog(), BestCheckpoint(), Moments()
    with seeded(seeds.seed_for("dropout")), Prefetch(source) as prefetch:
        for epoch in range(recipe.epochs):
            dealt = shuffled(rows, source.lengths, recipe.batch_size, order)
            batches = prefetch.batches(dealt)
            if epoch == 0:
                batches = _noted(batches, head, received, device)
            loss, right = _pass(
                head, batches, labels, weights, optimiser, paces, recipe, device
            )
            seen.losses.append(loss / len(rows))
            seen.accuracies.append(right / len(rows))
            seen.gradients.append(grad_norm(head.parameters()))
            if seen.diverged:
                break
            if dev is not None:
                seen.dev.append(uar_of(predict(head, source, dev, device), labels[dev]))
                best.update(seen.dev[-1], head.state_dict())
    best.restore(head)
    seen.scales = received.scales()
    return seen


def note_received(moments: Moments, head: nn.Module, features: LayeredFeatures) -> None:
    """Add what a head receives of some features: z-scored, if it standardises."""
    if isinstance(head, Standardised):
        features = head.standardised(features)
    for name, group in features.items():
        moments.add_valid(name, group)


def _noted(
    batches: Iterable[tuple[Tensor, LayeredFeatures]],
    head: nn.Module,
    moments: Moments,
    device: str,
) -> Iterator[tuple[Tensor, LayeredFeatures]]:
    """Pass batches on, and note what the head receives of them."""
    for rows, features in batches:
        here = to_device(features, device)
        note_received(moments, head, here)
        yield rows, here


def _pass(
    head: nn.Module,
    batches: Iterable[tuple[Tensor, LayeredFeatures]],
    labels: Tensor,
    weights: Tensor,
    optimiser: torch.optim.Adam,
    paces: Iterator[float],
    recipe: Recipe,
    device: str,
) -> tuple[float, int]:
    """Take the steps of one epoch; give loss and right answers, summed."""
    kind, narrow = torch.device(device).type, recipe.precision == "bf16"
    total, right = 0.0, 0
    head.train()
    for batch, features in batches:
        with torch.autocast(kind, torch.bfloat16, enabled=narrow):
            logits = head(to_device(features, device)).float()
        wanted = labels[batch].to(device)
        terms, own = cross_entropy(logits, wanted, weights, recipe.label_smoothing)
        loss = terms.sum() / own.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * next(paces)
        optimiser.step()
        total += loss.item() * len(batch)
        right += int((logits.argmax(dim=1) == wanted).sum())
    return total, right


def predict(
    head: nn.Module, source: FeatureSource, rows: Tensor, device: str
) -> Tensor:
    """Give class probabilities, ``(n, classes)`` float64, in the order of ``rows``."""
    head.eval()
    order = torch.arange(len(rows))
    if source.lengths is not None:
        order = by_length(order, source.lengths[rows])
    parts = []
    with torch.no_grad(), Prefetch(source) as prefetch:
        for _, features in prefetch.batches(rows[order].split(_READ)):
            logits = head(to_device(features, device))
            parts.append(logits.double().softmax(dim=1).cpu())
    found = torch.cat(parts)
    return torch.empty_like(found).index_copy_(0, order, found)


def to_device(features: LayeredFeatures, device: str) -> Mapping[str, LayerGroup]:
    """Move features; on the processor itself nothing is copied."""
    return {
        name: LayerGroup(group.states.to(device), group.lengths.to(device))
        for name, group in features.items()
    }


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start torch's global generators at a seed, and put them back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
