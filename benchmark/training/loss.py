"""Loss, class weights, learning-rate schedule, and choice of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nserbench.benchmark.results.metrics import confusion, uar
from nserbench.downstreams.base import Recipe


@dataclass(slots=True)
class EpochLog:
    """Loss, accuracy and gradient norm of a head's training, epoch by epoch.

    Attributes:
        losses: Mean cross-entropy on the training set, with dropout.
        accuracies: Accuracy on the training set, with dropout.
        gradients: Gradient norm at the last step of the epoch.
        scales: Standard deviation of the head's input in the first epoch, by group: the
            median over features; empty if an upstream began with random weights.
        terms: Mean of each loss that an upstream adds in fine-tuning, by its name.
    """

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    dev: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)
    terms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, loss: float, accuracy: float, gradient: float) -> None:
        """Note an epoch: its mean loss, accuracy and gradient norm."""
        self.losses.append(loss)
        self.accuracies.append(accuracy)
        self.gradients.append(gradient)

    @property
    def diverged(self) -> int | None:
        """First epoch, from 1, whose loss is not finite; None if there is none."""
        for epoch, loss in enumerate(self.losses, start=1):
            if not math.isfinite(loss):
                return epoch
        return None

    @property
    def chosen(self) -> int | None:
        """First epoch, from 1, with the best dev UAR; None without a dev set."""
        return self.dev.index(max(self.dev)) + 1 if self.dev else None


class BestCheckpoint:
    """Keeps the weights of the epoch with the best UAR on the dev set."""

    def __init__(self) -> None:
        self.score = -math.inf
        self.state: dict[str, Tensor] = {}

    def update(self, score: float, state: Mapping[str, Tensor]) -> None:
        """Keep the weights if their score is better than all before."""
        if score > self.score:
            self.score = score
            self.state = {name: value.detach().clone() for name, value in state.items()}

    def restore(self, head: nn.Module) -> None:
        """Load the kept weights, if there are any, into a head."""
        if self.state:
            head.load_state_dict(self.state)


def class_weights(labels: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Return the class weights of the loss, ``(classes,)``: 1 unless balanced.

    Balanced, the weight of a class is the inverse of its share, scaled so that the mean
    over the training set is 1 (scikit-learn's ``balanced``). A class without examples
    has weight 0.

    Args:
        labels: ``(n,)`` class numbers of the training set.
    """
    if not recipe.class_weights:
        return torch.ones(classes)
    counts = torch.bincount(labels, minlength=classes)
    weights = len(labels) / ((counts > 0).sum() * counts.clamp(min=1))
    return weights * (counts > 0)


def cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Return weighted losses and weights; the mean loss is the ratio of their sums.

    As `torch.nn.functional.cross_entropy` with ``weight`` and ``label_smoothing``, but
    with class weights that may differ between heads.

    Args:
        logits: ``(..., classes)``.
        targets: ``(...)`` class numbers.
        weights: ``(..., classes)`` class weights, broadcast.
        smoothing: Share of the target that is spread over all classes.

    Returns:
        The loss of each example times its weight, and the weight, both ``(...)``.
    """
    log_probabilities, index = logits.log_softmax(dim=-1), targets[..., None]
    target_weights = weights.expand_as(logits).gather(-1, index)[..., 0]
    terms = -log_probabilities.gather(-1, index)[..., 0] * target_weights
    if smoothing:
        spread = -(log_probabilities * weights).mean(dim=-1)
        terms = (1 - smoothing) * terms + smoothing * spread
    return terms, target_weights


def lr_factor(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step as a factor on that of the first."""
    if recipe.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def grad_norm(weights: Iterable[Tensor]) -> float:
    """Return the gradient norm of all weights together."""
    gradients = [value.grad for value in weights if value.grad is not None]
    return float(nn.utils.get_total_norm(gradients))


def uar_of(scores: Tensor, targets: Tensor) -> float:
    """Return the unweighted average recall (UAR) of logits or probabilities.

    Args:
        scores: ``(n, classes)``.
        targets: ``(n,)`` class numbers.
    """
    predicted = scores.argmax(dim=1).cpu().numpy()
    return float(uar(confusion(targets.cpu().numpy(), predicted, scores.shape[1])))
