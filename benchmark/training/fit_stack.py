"""Train many pooled heads of one shape together, as one stacked problem.

A step of one such head multiplies a few thousand numbers, which takes less time than
the call of torch. A stack takes the step of all heads in one call: on two cores, 13
layers in 5 folds train more than ten times as fast as one after another. Each head
keeps its own order of batches, its own dropout masks and its own number of steps, and
ends with the weights that it would have alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nserbench.benchmark.training.batch_streams import (
    HeadTraining,
    StackedBatches,
    received_scales,
)
from nserbench.benchmark.training.cuda_graph import RecordedStep, recorder
from nserbench.benchmark.training.fit_one import Standardised
from nserbench.benchmark.training.head_output import checked_logits
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.stacked_weights import StackedWeights
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.fusion import PooledHead
from nserbench.progress import ignore_epochs
from nserbench.tiny_numbers import tiny_numbers_are_zero

STEPS = 64
"""Steps whose batches and masks are drawn at once."""

STACKED = 2**27
"""Bytes of features that one step of a stack may read."""


def can_stack(head: nn.Module) -> bool:
    """Return whether a head can be trained together with others.

    It must be a head on means over time, with no other randomness than `Dropout`.
    """
    inner = head.head if isinstance(head, Standardised) else head
    random = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    return isinstance(inner, PooledHead) and not any(
        isinstance(module, random) for module in inner.modules()
    )


@tiny_numbers_are_zero()
def fit_together(
    trainings: Sequence[HeadTraining],
    states: Mapping[str, Tensor],
    labels: Tensor,
    classes: int,
    recipe: Recipe,
    device: str,
    on_epoch: Callable[[int], None] = ignore_epochs,
) -> list[EpochLog]:
    """Train heads of one shape: Adam on the cross-entropy (Eq. 9).

    Args:
        trainings: Heads whose parameters have the same names and shapes, and which
            read the same number of layers of each group.
        states: ``(layers, all rows, dim)`` of each group.
        labels: ``(all rows,)`` class numbers.
        recipe: How to train; each head has its own number of epochs.
        on_epoch: Called with the number of epochs that all heads have just ended.

    Returns:
        The log of each head, in the order of ``trainings``. A head that diverges has
        losses that are not finite.
    """
    features = {name: value.to(device) for name, value in states.items()}
    size = recipe.batch_size
    order = sorted(range(len(trainings)), key=lambda n: -trainings[n].steps(size))
    logs: dict[int, EpochLog] = {}
    for part in _parts(order, trainings, features, size):
        chosen = [trainings[number] for number in part]
        weights = torch.stack(
            [class_weights(labels[head.rows], classes, recipe) for head in chosen]
        )
        trainer = _StackTrainer(chosen, features, labels, weights, recipe, device)
        logs |= zip(part, trainer.train(on_epoch), strict=True)
    for number, log in logs.items():
        log.scales = received_scales(trainings[number], states)
    return [logs[number] for number in range(len(trainings))]


def _parts(
    order: Sequence[int],
    trainings: Sequence[HeadTraining],
    states: Mapping[str, Tensor],
    size: int,
) -> list[Sequence[int]]:
    """Cut the heads so that a step of each part reads no more than `STACKED` bytes."""
    step = sum(
        len(layers) * size * states[name].shape[-1] * states[name].element_size()
        for name, layers in trainings[0].layers.items()
    )
    most = max(1, STACKED // step)
    return [order[start : start + most] for start in range(0, len(order), most)]


@dataclass(slots=True)
class _HeadProgress:
    """The training of one head of a stack so far.

    Attributes:
        steps: Number of steps of all its epochs.
        sums: ``(steps, 2)`` sums of losses and of right answers, by step.
        norms: Gradient norm at the last step of each epoch.
    """

    training: HeadTraining
    steps: int
    best: BestCheckpoint = field(default_factory=BestCheckpoint)
    sums: list[Tensor] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)
    dev: list[float] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """Number of steps of an epoch."""
        return self.steps // self.training.epochs

    def epochs(self) -> EpochLog:
        """Return the log by epoch."""
        sums = torch.cat(self.sums).view(self.training.epochs, -1, 2).sum(1)
        losses, accuracies = (sums / len(self.training.rows)).T.tolist()
        return EpochLog(losses, accuracies, self.dev, torch.stack(self.norms).tolist())


class _StackTrainer:
    """The training loop of a stack of heads.

    Args:
        trainings: The heads in the order of their steps, the longest first.
        weights: ``(heads, classes)`` class weights of the loss.
    """

    def __init__(
        self,
        trainings: Sequence[HeadTraining],
        states: Mapping[str, Tensor],
        labels: Tensor,
        weights: Tensor,
        recipe: Recipe,
        device: str,
    ) -> None:
        size = recipe.batch_size
        self._recipe, self._device = recipe, device
        self._labels = labels.to(device)
        self._class_weights = weights[:, None].to(device)
        example = {
            name: states[name].new_zeros(len(layers), 1, states[name].shape[-1])
            for name, layers in trainings[0].layers.items()
        }
        heads = [training.head for training in trainings]
        self._weights = StackedWeights(heads, example, recipe, device)
        self._batches = StackedBatches(
            trainings, states, self._weights.dropouts, size, device
        )
        self._heads = [_HeadProgress(head, head.steps(size)) for head in trainings]
        self._active = self._heads
        self._done = 0

    def train(self, on_epoch: Callable[[int], None]) -> list[EpochLog]:
        """Take every step, and copy the final weights into the heads."""
        step = RecordedStep(self._step, recorder(self._device))
        while self._active:
            before = self._done
            self._take(step, self._uninterrupted())
            ended = [self._done // h.epoch - before // h.epoch for h in self._active]
            on_epoch(sum(ended))
            for number, head in enumerate(self._active):
                if head.training.dev is not None and self._done % head.epoch == 0:
                    self._select(number, head, head.training.dev)
            if self._active[-1].steps == self._done:
                self._finish()
                # The shapes of a recorded step are fixed.
                step = RecordedStep(self._step, recorder(self._device))
        return [head.epochs() for head in self._heads]

    def _uninterrupted(self) -> int:
        """Return the steps until a head ends, or ends an epoch and has a dev set."""
        epochs = [head.epoch for head in self._active if head.training.dev is not None]
        to_dev = [epoch - self._done % epoch for epoch in epochs]
        return min(STEPS, self._active[-1].steps - self._done, *to_dev)

    def _take(self, step: RecordedStep, count: int) -> None:
        drawn = self._batches.draw(len(self._active), count)
        factors = self._lr_factors(count)
        results = []
        for number in range(count):
            masks = self._batches.masks(drawn, number)
            rows, counts = drawn.rows[number], drawn.counts[number]
            results.append(step(rows, counts, factors[number], *masks))
            self._done += 1
            self._log_grad_norms()
        losses, logits = (torch.stack(values) for values in zip(*results, strict=True))
        right = (logits.argmax(-1) == self._labels[drawn.rows]) * drawn.counts
        sums = torch.stack([losses * drawn.counts.sum(-1), right.sum(-1)], 1).cpu()
        for head, values in zip(self._active, sums.unbind(-1), strict=True):
            head.sums.append(values)

    def _lr_factors(self, count: int) -> Tensor:
        """Return the learning-rate factors of the next steps, ``(count, heads)``."""
        steps = range(self._done, self._done + count)
        return torch.tensor(
            [
                [lr_factor(self._recipe, step, head.steps) for head in self._active]
                for step in steps
            ],
            device=self._device,
        )

    def _step(
        self, rows: Tensor, counts: Tensor, factors: Tensor, *masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take one step; return the loss of each head, and its logits."""
        logits = self._weights.logits(self._batches.features(rows), masks)
        terms, target_weights = cross_entropy(
            logits,
            self._labels[rows],
            self._class_weights[: len(rows)],
            self._recipe.label_smoothing,
        )
        losses = (terms * counts).sum(1) / (target_weights * counts).sum(1)
        self._weights.step(losses, factors)
        return losses.detach(), logits.detach()

    def _log_grad_norms(self) -> None:
        """Log the gradient norm of each head whose epoch ends with this step."""
        if any(self._done % head.epoch == 0 for head in self._active):
            norms = self._weights.grad_norms()
            for head, norm in zip(self._active, norms, strict=True):
                if self._done % head.epoch == 0:
                    head.norms.append(norm)

    def _select(self, number: int, head: _HeadProgress, dev: Tensor) -> None:
        """Test a head on its dev set, and keep its weights if they are the best."""
        self._weights.copy_to_head(number)
        module, rows = head.training.head, dev.to(self._device)
        module.eval()
        with torch.no_grad():
            features = self._batches.features_of(number, rows)
            output = module.fuse(features)  # type: ignore[operator]
        classes = self._class_weights.shape[-1]
        logits = checked_logits(module, output, len(rows), classes)
        module.train()
        head.dev.append(uar_of(logits, self._labels[rows]))
        head.best.update(head.dev[-1], module.state_dict())

    def _finish(self) -> None:
        """Copy the weights of finished heads into their modules, and drop the heads."""
        left = [head for head in self._active if head.steps > self._done]
        for number in range(len(left), len(self._active)):
            self._weights.copy_to_head(number)
            head = self._active[number]
            head.best.restore(head.training.head)
        self._active = left
        self._weights.keep(len(left))
