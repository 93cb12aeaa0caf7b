"""The heads of the pooled tier against their formulas, written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from heads import layer_weights, part, parts
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.downstreams.fusion import Attention, ScalarMix, WeightedSum
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups

Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]

FUSING = ["mean", "weighted-sum", "scalar-mix", "attention"]
WEIGHING = ["weighted-sum", "scalar-mix"]


def means(features: dict[str, LayerGroup], group: str) -> Tensor:
    """Average over valid frames, an utterance at a time: ``(layers, batch, dim)``."""
    states, lengths = features[group].states, features[group].lengths
    return torch.stack(
        [states[:, place, :n].mean(dim=1) for place, n in enumerate(lengths)], dim=1
    )


def stir(head: nn.Module) -> nn.Module:
    """Move every parameter off its initial value."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return head.eval()


def linear(head: nn.Module, *pooled: Tensor) -> Tensor:
    """Apply the classifier to the groups side by side."""
    return apply(part(head, "classify.1", nn.Linear), torch.cat(pooled, dim=1))


def apply(layer: nn.Linear, values: Tensor) -> Tensor:
    return values @ layer.weight.T + layer.bias


def test_last_reads_the_last_layer(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("last", groups).eval(), make_features(groups)

    expected = linear(head, *(means(features, group)[-1] for group in groups))

    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize("layer", [0, 2])
def test_single_reads_the_layer_of_that_number(
    layer: int, build: Build, groups: Groups, make_features: Make
) -> None:
    head = build(f"single:layer={layer}", groups).eval()
    features = make_features(groups)

    expected = linear(head, *(means(features, group)[layer] for group in groups))

    torch.testing.assert_close(head(features), expected)


def test_mean_averages_layers_from_1_up(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("mean", groups).eval(), make_features(groups)

    expected = linear(
        head, *(means(features, group)[1:].mean(dim=0) for group in groups)
    )

    torch.testing.assert_close(head(features), expected)


def test_weighted_sum_is_that_of_s3prl(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stir(build("weighted-sum", groups)), make_features(groups)

    fused, fusions = [], parts(head, "fusions", WeightedSum)
    for group, fusion in zip(groups, fusions, strict=True):
        # s3prl/upstream/interfaces.py, Featurizer._weighted_sum
        stacked = means(features, group)[1:]
        layers, *origin_shape = stacked.shape
        norm_weights = F.softmax(fusion.scores, dim=-1)
        weighted = norm_weights.unsqueeze(-1) * stacked.reshape(layers, -1)
        fused.append(weighted.sum(dim=0).view(*origin_shape))

    torch.testing.assert_close(head(features), linear(head, *fused))


def test_scalar_mix_is_that_of_elmo(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stir(build("scalar-mix", groups)), make_features(groups)

    fused, fusions = [], parts(head, "fusions", ScalarMix)
    for group, fusion in zip(groups, fusions, strict=True):
        exponents = fusion.scores.exp()
        total = torch.zeros(())
        for exponent, layer in zip(exponents, means(features, group)[1:], strict=True):
            centred = layer - layer.mean(dim=1, keepdim=True)
            normed = (
                centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
            )
            total = total + exponent / exponents.sum() * normed
        fused.append(fusion.gamma * total)

    torch.testing.assert_close(head(features), linear(head, *fused))


def test_attention_is_scaled_dot_product_attention_over_layers(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stir(build("attention", groups)), make_features(groups)

    fused, fusions = [], parts(head, "fusions", Attention)
    for group, fusion in zip(groups, fusions, strict=True):
        layers = means(features, group)[1:].transpose(0, 1)  # (batch, layers, dim)
        query = fusion.query.expand(len(layers), 1, -1)
        fused.append(F.scaled_dot_product_attention(query, layers, layers)[:, 0])

    torch.testing.assert_close(head(features), linear(head, *fused))


@pytest.mark.parametrize("typed", ["weighted-sum", "attention"])
def test_starts_as_the_mean(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    features = make_features(groups)

    given = build(typed, groups).eval()(features)

    torch.testing.assert_close(given, build("mean", groups).eval()(features))


@pytest.mark.parametrize("typed", FUSING)
def test_layer_0_counts_only_where_it_is_asked_for(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    features, changed = make_features(groups), make_features(groups)
    changed["encoder"].states[0] = 5
    without, with_it = build(typed, groups), build(f"{typed}:state0=yes", groups)
    without.eval()
    with_it.eval()

    assert torch.equal(without(changed), without(features))
    assert not torch.allclose(with_it(changed), with_it(features))


@pytest.mark.parametrize("typed", WEIGHING)
def test_weights_of_layers_start_equal(
    typed: str, build: Build, groups: Groups
) -> None:
    weights = layer_weights(build(typed, groups))

    assert list(weights) == ["encoder", "decoder"]
    torch.testing.assert_close(weights["encoder"], torch.full((3,), 1 / 3))
    torch.testing.assert_close(weights["decoder"], torch.full((2,), 1 / 2))


@pytest.mark.parametrize("typed", WEIGHING)
def test_weights_of_layers_are_those_in_use(
    typed: str, build: Build, groups: Groups
) -> None:
    head = build(f"{typed}:state0=yes", groups)
    with torch.no_grad():
        scores = part(head, "fusions.0", WeightedSum).scores
        scores.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]).log())

    weights = layer_weights(head)

    torch.testing.assert_close(weights["encoder"], torch.tensor([0.1, 0.2, 0.3, 0.4]))
    assert not weights["encoder"].requires_grad


def test_gamma_starts_at_1(build: Build, groups: Groups) -> None:
    mixes = parts(build("scalar-mix", groups), "fusions", ScalarMix)

    assert [mix.gamma.item() for mix in mixes] == [1.0, 1.0]


def test_fc_is_one_hidden_layer_of_512_on_the_last_layers(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("fc", groups).eval(), make_features(groups)
    first, second = (part(head, f"classify.{n}", nn.Linear) for n in (0, 3))

    read = torch.cat([means(features, group)[-1] for group in groups], dim=1)
    hidden = F.relu(apply(first, read))

    assert hidden.shape == (3, 512)
    torch.testing.assert_close(head(features), apply(second, hidden))


def test_features_that_lack_a_layer_are_an_error(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("last", groups), make_features(groups)
    encoder = features["encoder"]
    features["encoder"] = LayerGroup(encoder.states[1:], encoder.lengths)

    with pytest.raises(ValueError, match=r"hold the 4 layers of their group, got 3"):
        head(features)
