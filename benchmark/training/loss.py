"""What training makes small, and how fast: loss, class weights, schedule, selection."""

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
    """What was seen while a head was trained, epoch by epoch.

    Attributes:
        losses: Mean cross-entropy over the training part, dropout on.
        accuracies: Share of the training part answered right, dropout on.
        dev: UAR on the part that selects; empty where nothing is selected.
        gradients: Norm of the gradient at the epoch's last step.
        scales: Standard deviation of what the head received of each group in the first
            epoch, the median over its features.
    """

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    dev: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)

    @property
    def diverged(self) -> int | None:
        """The first epoch, from 1, whose loss is not finite; None if there is none."""
        for epoch, loss in enumerate(self.losses, start=1):
            if not math.isfinite(loss):
                return epoch
        return None

    @property
    def chosen(self) -> int | None:
        """The epoch, from 1, that was selected: the first of the best; None if none."""
        return self.dev.index(max(self.dev)) + 1 if self.dev else None


class BestCheckpoint:
    """Keeps the weights of the epoch that does best on the part that selects."""

    def __init__(self) -> None:
        self.score = -math.inf
        self.state: dict[str, Tensor] = {}

    def update(self, score: float, state: Mapping[str, Tensor]) -> None:
        """Keep some weights if no earlier ones were as good."""
        if score > self.score:
            self.score = score
            self.state = {name: one.detach().clone() for name, one in state.items()}

    def restore(self, head: nn.Module) -> None:
        """Put the kept weights, if there are any, into a head."""
        if self.state:
            head.load_state_dict(self.state)


def class_weights(labels: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Give what each class counts, ``(classes,)``: 1 unless the recipe balances them.

    Balanced, a class counts by the inverse of its share, so that the mean over the
    training part is 1 (scikit-learn's ``balanced``). One that is not there counts 0.

    Args:
        labels: ``(n,)`` of the training part.
        classes: How many there are.
        recipe: Whose ``class_weights`` is asked.
    """
    if not recipe.class_weights:
        return torch.ones(classes)
    counts = torch.bincount(labels, minlength=classes)
    found = len(labels) / ((counts > 0).sum() * counts.clamp(min=1))
    return found * (counts > 0)


def cross_entropy(
    logits: Tensor, wanted: Tensor, weights: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Give the terms of the loss: its mean is the sum of one over that of the other.

    As `torch.nn.functional.cross_entropy` with ``weight`` and ``label_smoothing``, but
    with weights that may differ between heads.

    Args:
        logits: ``(..., classes)``.
        wanted: ``(...)`` class numbers.
        weights: ``(..., classes)`` what each class counts, broadcast.
        smoothing: Share of the target that is spread over all classes.

    Returns:
        The loss of each times its weight, and the weight, both ``(...)``.
    """
    logs, at = logits.log_softmax(dim=-1), wanted[..., None]
    own = weights.expand_as(logits).gather(-1, at)[..., 0]
    terms = -logs.gather(-1, at)[..., 0] * own
    if smoothing:
        spread = -(logs * weights).mean(dim=-1)
        terms = (1 - smoothing) * terms + smoothing * spread
    return terms, own


def lr_factor(recipe: Recipe, step: int, steps: int) -> float:
    """Give the learning rate of a step relative to that of the first."""
    if recipe.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def grad_norm(weights: Iterable[Tensor]) -> float:
    """Give the norm of the gradient of some weights, all together."""
    given = [one.grad for one in weights if one.grad is not None]
    return float(nn.utils.get_total_norm(given))


def uar_of(scores: Tensor, wanted: Tensor) -> float:
    """Give the unweighted average recall of logits or probabilities.

    Args:
        scores: ``(n, classes)``.
        wanted: ``(n,)`` class numbers.
    """
    found = scores.argmax(dim=1).cpu().numpy()
    return float(uar(confusion(wanted.cpu().numpy(), found, scores.shape[1])))
