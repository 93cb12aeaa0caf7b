"""Heads with a weight for each layer say it as they use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from heads import layer_weights
from torch import nn

from nserbench.cards import bind
from nserbench.downstreams.base import DownstreamCard, HasLayerWeights
from nserbench.spec import parse_spec
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups

Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]
Card = Callable[[str], DownstreamCard]

WEIGHING = ["weighted-sum", "scalar-mix", "ladapter", "ladapter:weights=softmax"]
OTHERS = ["last", "single:layer=1", "mean", "attention", "fc", "bigru"]


def scores(head: nn.Module, group: int) -> torch.Tensor:
    """Return what a group's weights are computed from, to be changed in place."""
    fusions = "fusions" if hasattr(head, "fusions") else "sums"
    return head.get_parameter(f"{fusions}.{group}.scores").data


@pytest.mark.parametrize("typed", WEIGHING)
def test_a_head_that_weighs_layers_has_a_weight_for_each_that_it_reads(
    typed: str, build: Build, card: Card, groups: Groups
) -> None:
    for text in (typed, f"{typed}{',' if ':' in typed else ':'}state0=yes"):
        head, spec = build(text, groups), parse_spec(text)
        bound = bind(card(spec.name), spec)

        assert isinstance(head, HasLayerWeights)
        weights = head.layer_weights()

        read = {g: bound.card.layers(one, bound.options) for g, one in groups.items()}
        assert {group: len(one) for group, one in weights.items()} == {
            group: len(layers) for group, layers in read.items()
        }


@pytest.mark.parametrize("typed", OTHERS)
def test_the_others_have_none(typed: str, build: Build, groups: Groups) -> None:
    assert not isinstance(build(typed, groups), HasLayerWeights)


@pytest.mark.parametrize("typed", WEIGHING)
@pytest.mark.parametrize("state0", ["yes", "no"])
def test_weights_are_in_the_order_of_the_layers(
    state0: str,
    typed: str,
    build: Build,
    card: Card,
    groups: Groups,
    make_features: Make,
) -> None:
    typed += f"{',' if ':' in typed else ':'}state0={state0}"
    head, features = build(typed, groups).eval(), make_features(groups)
    bound = bind(card(parse_spec(typed).name), parse_spec(typed))
    layers = bound.card.layers(groups["encoder"], bound.options)
    only = layers[1]
    free = typed.startswith("ladapter:state0")
    scores(head, 0).fill_(0.0 if free else -100.0)[1] = 1.0

    before = head(features)

    expected = [1.0 if layer == only else 0.0 for layer in layers]
    assert layer_weights(head)["encoder"].tolist() == pytest.approx(expected)
    for layer in groups["encoder"].layers:
        changed = make_features(groups)
        changed["encoder"].states[layer] += torch.randn(7, 6)
        same = torch.allclose(head(changed), before, atol=1e-6)
        assert same == (layer != only), layer


@pytest.mark.parametrize("typed", WEIGHING)
def test_a_step_of_training_moves_the_weights_that_are_said(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(typed, groups)
    before = layer_weights(head)
    optimiser = torch.optim.SGD(head.parameters(), lr=1.0)

    head(make_features(groups))[:, 0].sum().backward()
    optimiser.step()

    after = layer_weights(head)
    assert not torch.allclose(after["encoder"], before["encoder"])
    assert not after["encoder"].requires_grad
