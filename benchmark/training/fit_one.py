"""Train one head on a training set, and predict a test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nserbench.benchmark.store.digests import derived_seed
from nserbench.benchmark.training.adam import Adam
from nserbench.benchmark.training.batching import by_length, shuffled
from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.benchmark.training.head_output import checked_logits, refuse_infinite
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    grad_norm,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.prefetch import Prefetch
from nserbench.benchmark.training.sources import FeatureSource
from nserbench.downstreams.base import Recipe
from nserbench.progress import ignore_epochs
from nserbench.tiny_numbers import tiny_numbers_are_zero
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

_READ = 32  # utterances per batch without gradients


class Standardised(nn.Module):
    """A head on z-scored features; the statistics are saved with its weights."""

    def __init__(self, head: nn.Module, statistics: Statistics) -> None:
        super().__init__()
        self.head = head
        for name, (mean, deviation) in statistics.items():
            self.register_buffer(_buffer("mean", name), mean)
            self.register_buffer(_buffer("deviation", name), deviation)

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Return the head's logits, ``(batch, classes)``."""
        logits: Tensor = self.head(self.standardised(features))
        return logits

    def standardised(self, features: LayeredFeatures) -> LayeredFeatures:
        """Return the features as the head receives them: z-scored."""
        return {
            name: self._standardise(name, group) for name, group in features.items()
        }

    def fuse(self, pooled: Mapping[str, Tensor]) -> Tensor:
        """Return the head's logits of means over time; see `PooledHead.fuse`."""
        logits: Tensor = self.head.fuse(  # type: ignore[operator]
            {
                name: (states - self._of("mean", name)[:, None])
                / self._of("deviation", name)[:, None]
                for name, states in pooled.items()
            }
        )
        return logits

    def _of(self, kind: str, name: str) -> Tensor:
        statistic: Tensor = getattr(self, _buffer(kind, name))
        return statistic

    def _standardise(self, name: str, group: LayerGroup) -> LayerGroup:
        mean = self._of("mean", name)[:, None, None]
        deviation = self._of("deviation", name)[:, None, None]
        return LayerGroup((group.states - mean) / deviation, group.lengths)


def _buffer(kind: str, group: str) -> str:
    # torch refuses dots in the name of a buffer.
    return f"{kind}_{group.replace('.', '_')}"


@dataclass(frozen=True, slots=True)
class FitSeeds:
    """The random seeds of a fit, which depend only on the cell's seed and the fold."""

    seed: int
    fold: str

    def seed_for(self, purpose: str) -> int:
        """Return the seed for a purpose, such as ``weights`` or ``dropout``."""
        return derived_seed(self.seed, self.fold, purpose)


@tiny_numbers_are_zero()
def train_head(
    head: nn.Module,
    source: FeatureSource,
    rows: Tensor,
    labels: Tensor,
    classes: int,
    recipe: Recipe,
    seeds: FitSeeds,
    device: str,
    dev: Tensor | None = None,
    on_epoch: Callable[[int], None] = ignore_epochs,
) -> EpochLog:
    """Train a head in place with Adam on the cross-entropy (Eq. 9), and return the log.

    It ends with the first epoch whose loss is not finite.

    Args:
        rows: ``(n,)`` rows of the training set.
        labels: ``(all rows,)`` class numbers.
        dev: ``(m,)`` rows of the dev set, which selects the epoch; None for the last.
        on_epoch: Called with 1 after every epoch.
    """
    optimiser = Adam(head.parameters(), lr=recipe.learning_rate)
    order = torch.Generator().manual_seed(seeds.seed_for("order"))
    weights = class_weights(labels[rows], classes, recipe).to(device)
    steps = recipe.epochs * -(-len(rows) // recipe.batch_size)
    factors = (lr_factor(recipe, step, steps) for step in range(steps))
    log, best, received = EpochLog(), BestCheckpoint(), Moments()
    with seeded(seeds.seed_for("dropout")), Prefetch(source) as prefetch:
        for epoch in range(recipe.epochs):
            dealt = shuffled(rows, source.lengths, recipe.batch_size, order)
            batches = prefetch.batches(dealt)
            if epoch == 0:
                batches = _noted(batches, head, received, device)
            loss, right = _train_epoch(
                head, batches, labels, weights, optimiser, factors, recipe, device
            )
            log.add(loss / len(rows), right / len(rows), grad_norm(head.parameters()))
            if log.diverged:
                break
            if dev is not None:
                log.dev.append(uar_of(predict(head, source, dev, device), labels[dev]))
                best.update(log.dev[-1], head.state_dict())
            on_epoch(1)
    best.restore(head)
    log.scales = received.scales()
    return log


def note_received(moments: Moments, head: nn.Module, features: LayeredFeatures) -> None:
    """Add a head's input to statistics: z-scored features, if the head standardises."""
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
    """Yield the same batches, and add the head's input to statistics."""
    for rows, features in batches:
        moved = to_device(features, device)
        note_received(moments, head, moved)
        yield rows, moved


def _train_epoch(
    head: nn.Module,
    batches: Iterable[tuple[Tensor, LayeredFeatures]],
    labels: Tensor,
    weights: Tensor,
    optimiser: Adam,
    factors: Iterator[float],
    recipe: Recipe,
    device: str,
) -> tuple[float, int]:
    """Take the steps of one epoch; return the sums of losses and of right answers."""
    device_type, bf16 = torch.device(device).type, recipe.precision == "bf16"
    total, right = 0.0, 0
    head.train()
    for batch, features in batches:
        with torch.autocast(device_type, torch.bfloat16, enabled=bf16):
            output = head(to_device(features, device))
        logits = checked_logits(head, output, len(batch), len(weights)).float()
        targets = labels[batch].to(device)
        terms, target_weights = cross_entropy(
            logits, targets, weights, recipe.label_smoothing
        )
        loss = terms.sum() / target_weights.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * next(factors)
        optimiser.step()
        total += loss.item() * len(batch)
        right += int((logits.argmax(dim=1) == targets).sum())
    return total, right


def predict(
    head: nn.Module, source: FeatureSource, rows: Tensor, device: str
) -> Tensor:
    """Return the class probabilities of some rows, ``(n, classes)`` float64.

    Raises:
        NserbenchError: if the head returns no logits, or one that is not finite.
    """
    head.eval()
    order = torch.arange(len(rows))
    if source.lengths is not None:
        order = by_length(order, source.lengths[rows])
    batches = []
    with torch.no_grad(), Prefetch(source) as prefetch:
        for batch, features in prefetch.batches(rows[order].split(_READ)):
            output = head(to_device(features, device))
            logits = checked_logits(head, output, len(batch))
            refuse_infinite(head, logits)
            batches.append(logits.double().softmax(dim=1).cpu())
    probabilities = torch.cat(batches)
    return torch.empty_like(probabilities).index_copy_(0, order, probabilities)


def to_device(features: LayeredFeatures, device: str) -> Mapping[str, LayerGroup]:
    """Move features to a device; nothing is copied if they are there already."""
    return {
        name: LayerGroup(group.states.to(device), group.lengths.to(device))
        for name, group in features.items()
    }


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global random generators, and restore their state afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
