"""What every head of the catalogue must keep to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from heads import gradient
from torch import nn
from torch.nn import functional as F

from nserbench.downstreams.cards import nserbench_downstreams
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups, GroupSpec

Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]

NEEDED = {"single": "single:layer=1"}
# One that chooses among others has no module of its own.
CARDS = [card for card in nserbench_downstreams() if card.chooses is None]
HEADS = [NEEDED.get(card.name, card.name) for card in CARDS]
POOLED = [NEEDED.get(card.name, card.name) for card in CARDS if card.tier == "pooled"]
LABELS = torch.tensor([0, 3, 1])


def without_dropout(typed: str) -> str:
    return f"{typed}{',' if ':' in typed else ':'}dropout=0"


def filled(features: dict[str, LayerGroup], value: float) -> dict[str, LayerGroup]:
    """Write a value into the padding."""
    changed = {}
    for name, group in features.items():
        states = group.states.clone()
        for place, length in enumerate(group.lengths):
            states[:, place, length:] = value
        changed[name] = LayerGroup(states, group.lengths)
    return changed


def alone(features: dict[str, LayerGroup], place: int) -> dict[str, LayerGroup]:
    """Keep one utterance, without padding."""
    return {
        name: LayerGroup(
            group.states[:, [place], : group.lengths[place]], group.lengths[[place]]
        )
        for name, group in features.items()
    }


def averaged(features: dict[str, LayerGroup]) -> dict[str, LayerGroup]:
    """Average each utterance over its own frames, one by one."""
    pooled = {}
    for name, group in features.items():
        means = [
            group.states[:, place, :length].mean(dim=1)
            for place, length in enumerate(group.lengths)
        ]
        ones = torch.ones(len(means), dtype=torch.int64)
        pooled[name] = LayerGroup(torch.stack(means, dim=1)[:, :, None], ones)
    return pooled


@pytest.mark.parametrize("typed", HEADS)
def test_returns_one_logit_for_each_utterance_and_class(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    logits = build(typed, groups, classes=5)(make_features(groups))

    assert logits.shape == (3, 5)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("typed", HEADS)
def test_reads_one_group_as_well_as_two(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    decoder = {"decoder": groups["decoder"]}
    features = make_features(groups)

    logits = build(typed, decoder)(features)  # the other group is there, and unread

    assert logits.shape == (3, 4)


@pytest.mark.parametrize("typed", HEADS)
def test_every_group_changes_the_logits(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups).eval()
    features = make_features(groups)
    before = head(features)

    for name in groups:
        changed = {**features, name: make_features(groups, seed=1)[name]}

        assert not torch.allclose(head(changed), before), name


@pytest.mark.parametrize("typed", HEADS)
def test_takes_groups_named_after_their_upstream(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    dotted = {"whisper.encoder": groups["encoder"], "wavlm.encoder": groups["decoder"]}
    lengths = {"whisper.encoder": (2, 3), "wavlm.encoder": (4, 1)}

    logits = build(typed, dotted)(make_features(dotted, lengths))

    assert logits.shape == (2, 4)


@pytest.mark.parametrize("typed", ["last", "single:layer=1", "mean", "fc", "bigru"])
def test_reads_a_group_of_one_layer(
    typed: str, build: Build, make_features: Make
) -> None:
    mel = {"mel": GroupSpec(range(1, 2), dim=8, rate=100.0)}

    logits = build(typed, mel)(make_features(mel, {"mel": (9, 4)}))

    assert logits.shape == (2, 4)


@pytest.mark.parametrize("value", [float("nan"), 1e30])
@pytest.mark.parametrize("typed", HEADS)
def test_padding_reaches_neither_logits_nor_gradients(
    typed: str, value: float, build: Build, groups: Groups, make_features: Make
) -> None:
    clean, dirty = build(typed, groups).eval(), build(typed, groups).eval()
    features = make_features(groups)

    before, after = clean(features), dirty(filled(features, value))
    F.cross_entropy(before, LABELS).backward()
    F.cross_entropy(after, LABELS).backward()

    torch.testing.assert_close(after, before, rtol=0, atol=0)
    for one, other in zip(clean.parameters(), dirty.parameters(), strict=True):
        torch.testing.assert_close(gradient(other), gradient(one), rtol=0, atol=0)


@pytest.mark.parametrize("typed", HEADS)
def test_an_utterance_does_not_depend_on_its_batch_mates(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups).eval()
    features = make_features(groups)

    together = head(features)
    apart = torch.cat([head(alone(features, place)) for place in range(3)])

    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("typed", POOLED)
def test_pooled_features_give_what_frames_give(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups).eval()
    features = make_features(groups)

    torch.testing.assert_close(
        head(averaged(features)), head(features), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("typed", HEADS)
def test_gradients_reach_every_parameter(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups).eval()

    F.cross_entropy(head(make_features(groups)), LABELS).backward()

    unreached = [
        name
        for name, parameter in head.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert unreached == []


@pytest.mark.parametrize("typed", HEADS)
def test_gradients_reach_the_features(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups).eval()
    features = make_features(groups)
    for group in features.values():
        group.states.requires_grad_()

    F.cross_entropy(head(features), LABELS).backward()

    for group in features.values():
        found = gradient(group.states)
        assert found.any()
        assert not found[:, 1, group.lengths[1] :].any()


@pytest.mark.parametrize("typed", HEADS)
def test_drops_values_in_training_and_never_in_evaluation(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build(typed, groups), make_features(groups)

    trained = [head(features), head(features)]
    head.eval()
    evaluated = [head(features), head(features)]

    assert not torch.equal(*trained)
    assert torch.equal(*evaluated)


@pytest.mark.parametrize("typed", HEADS)
def test_dropout_0_drops_nothing(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build(without_dropout(typed), groups), make_features(groups)

    assert torch.equal(head(features), head.eval()(features))


@pytest.mark.parametrize("typed", HEADS)
def test_weights_come_from_the_seed_and_can_be_kept(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    features = make_features(groups)
    head, same = build(typed, groups).eval(), build(typed, groups).eval()
    other = build(typed, groups, seed=1).eval()

    before = other(features)
    other.load_state_dict(head.state_dict())

    assert torch.equal(same(features), head(features))
    assert not torch.equal(before, head(features))
    assert torch.equal(other(features), head(features))


@pytest.mark.parametrize("typed", HEADS)
def test_learns_a_toy_problem(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    lengths = {"encoder": (5, 3, 4, 2, 5, 1, 2, 3), "decoder": (2, 2, 1, 3, 1, 2, 3, 1)}
    labels = torch.arange(8) % 4
    head, features = build(typed, groups), make_features(groups, lengths)
    for group in features.values():
        group.states[..., :4] += 3 * F.one_hot(labels)[:, None]
    adam = torch.optim.Adam(head.parameters(), lr=1e-2)

    for _ in range(30):
        adam.zero_grad()
        F.cross_entropy(head(features), labels).backward()
        adam.step()

    head.eval()
    assert head(features).argmax(dim=1).tolist() == labels.tolist()
