import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional as F

from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    lr_factor,
    uar_of,
)
from nserbench.downstreams.base import Recipe

LABELS = torch.tensor([0, 0, 0, 1, 2, 2, 0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.3, 2.0, 1.1]])
def test_the_loss_is_that_of_torch(weights: list[float], smoothing: float) -> None:
    torch.manual_seed(0)
    logits, counted = torch.randn(8, 3), torch.tensor(weights)

    terms, own = cross_entropy(logits, LABELS, counted, smoothing)

    wanted = F.cross_entropy(logits, LABELS, counted, label_smoothing=smoothing)
    torch.testing.assert_close(terms.sum() / own.sum(), wanted)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    found = class_weights(LABELS, 4, Recipe(class_weights=True))

    wanted = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    assert found.tolist() == pytest.approx([*wanted, 0.0])
    assert class_weights(LABELS, 4, Recipe()).tolist() == [1.0] * 4


def test_the_cosine_schedule_is_that_of_torch() -> None:
    recipe = Recipe(schedule="cosine")
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=10)

    wanted = []
    for _ in range(10):
        wanted += schedule.get_last_lr()
        optimiser.step()
        schedule.step()

    assert [lr_factor(recipe, step, 10) for step in range(10)] == pytest.approx(wanted)
    assert lr_factor(Recipe(), 7, 10) == 1.0


def test_uar_is_that_of_scikit_learn() -> None:
    scores = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))

    wanted = balanced_accuracy_score(LABELS, scores.argmax(1))
    assert uar_of(scores, LABELS) == pytest.approx(wanted)


def test_the_first_of_the_best_epochs_is_kept() -> None:
    head, best = nn.Linear(2, 2), BestCheckpoint()
    for score, value in ((0.4, 1.0), (0.6, 2.0), (0.6, 3.0), (0.5, 4.0)):
        nn.init.constant_(head.weight, value)
        best.update(score, head.state_dict())

    best.restore(head)

    assert head.weight.unique().tolist() == [2.0]
    assert EpochLog(dev=[0.4, 0.6, 0.6, 0.5]).chosen == 2
    assert EpochLog().chosen is None
