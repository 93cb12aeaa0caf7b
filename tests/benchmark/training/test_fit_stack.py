import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import pytest
import torch
from heads import part
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.benchmark.training import fit_stack as stacking
from nserbench.benchmark.training.batch_streams import HeadTraining, StackedBatches
from nserbench.benchmark.training.batching import shuffled
from nserbench.benchmark.training.cuda_graph import WARM_UP, Recorded
from nserbench.benchmark.training.fit_one import FitSeeds
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.benchmark.training.loss import EpochLog, class_weights, grad_norm, uar_of
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.dense import fc
from nserbench.downstreams.fusion import PooledHead, scalar_mix, single, weighted_sum
from nserbench.downstreams.kernels.mask_dropout import Dropout, draw_masks
from nserbench.tiny_numbers import flushes
from nserbench.upstreams.groups import Groups, GroupSpec

LAYERS, ROWS, DIM, CLASSES = 5, 203, 32, 4
RECIPE = Recipe(epochs=5, batch_size=32, learning_rate=1e-3)


@pytest.fixture
def states() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"encoder": torch.randn(LAYERS, ROWS, DIM, generator=generator)}


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(CLASSES, (ROWS,), generator=torch.Generator().manual_seed(2))


def groups(layers: range) -> Groups:
    return {"encoder": GroupSpec(layers, DIM, 50.0)}


def singles(epochs: Sequence[int] = (5,) * 6) -> list[HeadTraining]:
    """Return heads on different layers, with training sets of different size."""
    trainings = []
    for number, passes in enumerate(epochs):
        torch.manual_seed(number)
        layer = range(number % LAYERS, number % LAYERS + 1)
        options = {"layer": layer.start, "dropout": 0.5}
        rows = torch.arange(ROWS)[torch.arange(ROWS) % 7 != number][: ROWS - 9 * number]
        trainings.append(
            HeadTraining(
                single(groups(layer), CLASSES, options),
                {"encoder": layer},
                rows,
                passes,
                FitSeeds(number, str(number % 5)),
            )
        )
    return trainings


def fusions(build: Callable[..., nn.Module]) -> list[HeadTraining]:
    trainings = []
    for number in range(3):
        torch.manual_seed(number)
        options = {"dropout": 0.3, "state0": False}
        head = build(groups(range(1, LAYERS)), CLASSES, options)
        rows = torch.arange(ROWS)[: 150 + 20 * number]
        seeds = FitSeeds(number, "fold")
        trainings.append(
            HeadTraining(head, {"encoder": range(1, LAYERS)}, rows, 5, seeds)
        )
    return trainings


def weights(trainings: Sequence[HeadTraining]) -> list[Tensor]:
    return [
        torch.cat([one.flatten() for one in training.head.parameters()])
        for training in trainings
    ]


def plainly(
    training: HeadTraining, states: dict[str, Tensor], labels: Tensor
) -> EpochLog:
    """Train one head in a plain loop, with the same batches and masks."""
    head = part(training.head.train(), "", PooledHead)
    optimiser = torch.optim.Adam(head.parameters(), lr=RECIPE.learning_rate)
    order = torch.Generator().manual_seed(training.seeds.seed_for("order"))
    drawn = torch.Generator().manual_seed(training.seeds.seed_for("dropout"))
    (drop,) = [one for one in head.modules() if isinstance(one, Dropout)]
    losses, accuracies, norms = [], [], []
    for _ in range(training.epochs):
        total, right = 0.0, 0
        for batch in shuffled(training.rows, None, RECIPE.batch_size, order):
            shape = RECIPE.batch_size, drop.width
            drop.mask = draw_masks(drop.p, 1, shape, drawn)[0, : len(batch)]
            layers = training.layers["encoder"]
            logits = head.fuse({"encoder": states["encoder"][list(layers)][:, batch]})
            loss = F.cross_entropy(logits, labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
            right += int((logits.argmax(1) == labels[batch]).sum())
        losses.append(total / len(training.rows))
        accuracies.append(right / len(training.rows))
        norms.append(grad_norm(head.parameters()))
    return EpochLog(losses, accuracies, [], norms)


@pytest.mark.parametrize(
    "make",
    [
        singles,
        lambda: fusions(weighted_sum),
        lambda: fusions(scalar_mix),
        lambda: fusions(fc),
    ],
    ids=["single layers", "weighted sum", "scalar mix", "a hidden layer"],
)
def test_a_stack_ends_with_the_weights_of_plain_loops(
    make: Callable[[], list[HeadTraining]], states: dict[str, Tensor], labels: Tensor
) -> None:
    trainings = make()
    start = weights(trainings)
    alone = copy.deepcopy(trainings)

    told = fit_together(trainings, states, labels, CLASSES, RECIPE, "cpu")

    wanted = [plainly(training, states, labels) for training in alone]
    for one, other, begun in zip(
        weights(trainings), weights(alone), start, strict=True
    ):
        assert (one - other).abs().max() < 1e-6
        assert (one - begun).abs().max() > 1e-2
    for seen, plain in zip(told, wanted, strict=True):
        assert seen.losses == pytest.approx(plain.losses, abs=1e-5)
        assert seen.accuracies == pytest.approx(plain.accuracies)
        assert seen.gradients == pytest.approx(plain.gradients, rel=1e-3)


class Tape:
    """Records on a CPU as a GPU does: nothing runs until it is replayed."""

    def __init__(self) -> None:
        self.recorded = self.played = 0

    def warm(self, function: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        return function()

    def record(self, function: Callable[[], Sequence[Tensor]]) -> Recorded:
        self.recorded += 1
        found: list[Tensor] = []

        def play() -> None:
            self.played += 1
            found[:] = function()

        return play, found


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_recorded_step_trains_as_a_called_step(
    states: dict[str, Tensor],
    labels: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    schedule: Literal["constant", "cosine"],
) -> None:
    recipe = replace(RECIPE, schedule=schedule)
    called, recorded = singles([2, 5, 5, 3]), singles([2, 5, 5, 3])
    told = fit_together(called, states, labels, CLASSES, recipe, "cpu")
    tapes = [Tape() for _ in range(4)]
    left = iter(tapes)
    monkeypatch.setattr(stacking, "recorder", lambda device: next(left))

    again = fit_together(recorded, states, labels, CLASSES, recipe, "cpu")

    assert all(
        torch.equal(one, other)
        for one, other in zip(weights(called), weights(recorded), strict=True)
    )
    assert again == told
    # Recorded again for each number of heads, after three called steps.
    used = [tape for tape in tapes if tape.played]
    assert [tape.recorded for tape in used] == [1] * len(used)
    assert len(used) > 1
    longest = max(training.steps(recipe.batch_size) for training in recorded)
    assert sum(tape.played for tape in used) == longest - WARM_UP * len(used)


def test_heads_end_together_as_alone(states: dict[str, Tensor], labels: Tensor) -> None:
    trainings, alone = singles(), singles()

    fit_together(trainings, states, labels, CLASSES, RECIPE, "cpu")
    for training in alone:
        fit_together([training], states, labels, CLASSES, RECIPE, "cpu")

    for one, other in zip(weights(trainings), weights(alone), strict=True):
        assert (one - other).abs().max() < 1e-6


def test_denormal_gradients_change_no_weight(
    states: dict[str, Tensor], labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, learning_rate=1e-1)
    without, kept = ([replace(one, epochs=60) for one in fusions(fc)] for _ in range(2))
    seen = list[bool]()

    def note(epochs: int) -> None:
        seen.append(flushes())

    told = fit_together(without, states, labels, CLASSES, recipe, "cpu", note)
    monkeypatch.setattr(torch, "set_flush_denormal", lambda wanted: True)
    again = fit_together(kept, states, labels, CLASSES, recipe, "cpu", note)

    assert {*seen[: len(seen) // 2]} == {True}
    assert {*seen[len(seen) // 2 :]} == {False}
    assert [one.losses for one in told] == [one.losses for one in again]
    assert all(map(torch.equal, weights(without), weights(kept)))


def test_a_finished_head_leaves_the_stack_and_changes_no_more(
    states: dict[str, Tensor], labels: Tensor
) -> None:
    trainings, alone = singles([1, 7, 3, 3]), singles([1, 7, 3, 3])

    told = fit_together(trainings, states, labels, CLASSES, RECIPE, "cpu")

    for training in alone:
        plainly(training, states, labels)
    assert [len(one.losses) for one in told] == [1, 7, 3, 3]
    for one, other in zip(weights(trainings), weights(alone), strict=True):
        assert (one - other).abs().max() < 1e-6


def test_the_size_of_a_stack_changes_no_weights(
    states: dict[str, Tensor], labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings, cut = singles(), singles()
    fit_together(trainings, states, labels, CLASSES, RECIPE, "cpu")

    monkeypatch.setattr(stacking, "STACKED", 2 * RECIPE.batch_size * DIM * 4)
    monkeypatch.setattr(stacking, "STEPS", 5)
    told = fit_together(cut, states, labels, CLASSES, RECIPE, "cpu")

    assert [len(one.losses) for one in told] == [5] * 6
    for one, other in zip(weights(trainings), weights(cut), strict=True):
        assert (one - other).abs().max() < 1e-6


def test_a_head_that_diverges_does_not_change_the_others(
    states: dict[str, Tensor], labels: Tensor
) -> None:
    trainings, alone = singles(), singles()
    with torch.no_grad():
        for one in trainings[2].head.parameters():
            one.fill_(torch.inf)

    told = fit_together(trainings, states, labels, CLASSES, RECIPE, "cpu")

    fit_together(alone, states, labels, CLASSES, RECIPE, "cpu")
    finite = [
        all(map(torch.tensor, one.losses)) and one.losses[-1] == one.losses[-1]
        for one in told
    ]
    assert finite == [True, True, False, True, True, True]
    for place in (0, 1, 3, 4, 5):
        assert (weights(trainings)[place] - weights(alone)[place]).abs().max() < 1e-6


def test_the_best_epoch_on_the_dev_set_is_kept(
    states: dict[str, Tensor], labels: Tensor
) -> None:
    recipe = replace(
        RECIPE, class_weights=True, label_smoothing=0.1, schedule="cosine", epochs=5
    )
    dev = torch.arange(0, ROWS, 5)
    trainings = [replace(training, dev=dev) for training in singles()]
    alone = copy.deepcopy(trainings)

    told = fit_together(trainings, states, labels, CLASSES, recipe, "cpu")

    for training, same, seen in zip(trainings, alone, told, strict=True):
        (log,) = fit_together([same], states, labels, CLASSES, recipe, "cpu")
        assert seen.dev == pytest.approx(log.dev)
        assert seen.chosen == log.chosen
        layers = list(training.layers["encoder"])
        with torch.no_grad():
            head = part(training.head.eval(), "", PooledHead)
            logits = head.fuse({"encoder": states["encoder"][layers][:, dev]})
        assert uar_of(logits, labels[dev]) == pytest.approx(max(seen.dev))
    for one, other in zip(weights(trainings), weights(alone), strict=True):
        assert (one - other).abs().max() < 1e-6


def test_class_weights_schedule_and_smoothing_are_those_of_a_plain_loop(
    states: dict[str, Tensor], labels: Tensor
) -> None:
    recipe = replace(RECIPE, class_weights=True, label_smoothing=0.1, schedule="cosine")
    (training,) = singles([5])[:1]
    alone = copy.deepcopy(training)

    fit_together([training], states, labels, CLASSES, recipe, "cpu")

    head = part(alone.head.train(), "", PooledHead)
    counted = class_weights(labels[alone.rows], CLASSES, recipe)
    optimiser = torch.optim.Adam(head.parameters(), lr=recipe.learning_rate)
    steps = alone.steps(recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    order = torch.Generator().manual_seed(alone.seeds.seed_for("order"))
    drawn = torch.Generator().manual_seed(alone.seeds.seed_for("dropout"))
    (drop,) = [one for one in head.modules() if isinstance(one, Dropout)]
    for _ in range(recipe.epochs):
        for batch in shuffled(alone.rows, None, recipe.batch_size, order):
            shape = recipe.batch_size, drop.width
            drop.mask = draw_masks(drop.p, 1, shape, drawn)[0, : len(batch)]
            logits = head.fuse({"encoder": states["encoder"][:1][:, batch]})
            loss = F.cross_entropy(logits, labels[batch], counted, label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    assert (weights([training])[0] - weights([alone])[0]).abs().max() < 1e-6


def test_a_dev_set_does_not_move_the_memory_of_batches(
    states: dict[str, Tensor],
) -> None:
    # A recorded CUDA graph keeps writing to this memory.
    batches = StackedBatches(singles()[:1], states, {}, RECIPE.batch_size, "cpu")
    rows = torch.arange(RECIPE.batch_size)[None]
    before = batches.features(rows)["encoder"].data_ptr()

    batches.features_of(0, torch.arange(ROWS))

    assert batches.features(rows)["encoder"].data_ptr() == before


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_masks_drop_the_given_share_and_keep_the_mean(p: float) -> None:
    masks = draw_masks(p, 50, (32, 64), torch.Generator().manual_seed(0))

    values = masks.unique().tolist()
    assert values == pytest.approx([0.0, 1 / (1 - p)])
    assert (masks == 0).float().mean() == pytest.approx(p, abs=0.01)
    assert masks.mean(0).std() == pytest.approx((p / (1 - p) / 50) ** 0.5, rel=0.1)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_masks_are_the_same_drawn_at_once_or_step_by_step(p: float) -> None:
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))

    steps = [draw_masks(p, count, (32, 64), one) for count in (1, 4, 2)]

    assert torch.equal(torch.cat(steps), draw_masks(p, 7, (32, 64), other))


def test_without_a_mask_dropout_is_that_of_torch() -> None:
    values = torch.ones(8, 16)
    ours, theirs = Dropout(0.4, 16), nn.Dropout(0.4)

    torch.manual_seed(5)
    dropped = ours(values)
    torch.manual_seed(5)

    assert torch.equal(dropped, theirs(values))
    assert torch.equal(ours.eval()(values), values)
    assert isinstance(singles()[0].head, PooledHead)
    assert not any("mask" in name for name in singles()[0].head.state_dict())
