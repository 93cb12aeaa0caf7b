"""The fast forms of the layer adapter against its plain form (Sec. III-C)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import enumerate as enumerate_threads

import pytest
import torch
from heads import gradient, layer_weights, part, parts
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from nserbench.downstreams.kernels.adapters import (
    adapt_layer,
    adapt_on_cpu,
    adapt_on_gpu,
)
from nserbench.downstreams.kernels.gru_gpu import run_layers
from nserbench.downstreams.kernels.mask_dropout import draw_masks
from nserbench.downstreams.ladapter import GroupAdapter, LayerAdapter
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups, GroupSpec

LENGTHS = {"encoder": (7, 3, 5), "decoder": (2, 4, 1)}
ADAPTERS = "sums.0.adapters"
FIRST = f"{ADAPTERS}.0"
Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]


def plain(head: nn.Module, features: dict[str, LayerGroup]) -> Tensor:
    """Return the logits by Eqs. 5 to 8, with the plain form of each adapter."""
    fused = torch.zeros(())
    sums = parts(head, "sums", GroupAdapter)
    for fusion, group in zip(sums, features.values(), strict=True):
        states, adapters = group.states[1:], fusion.adapters
        for adapter, layer, weight in zip(adapters, states, fusion.scores, strict=True):
            fused = fused + weight * adapter(layer, group.lengths)
    logits: Tensor = part(head, "classify", nn.Sequential)(fused)
    return logits


def stirred(build: Build, groups: Groups) -> nn.Module:
    """Build a head whose norms and weights have left their initial values."""
    head = build("ladapter", groups).eval()
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if "gru" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return head


def test_equals_the_plain_form_of_the_equations(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stirred(build, groups), make_features(groups)

    expected = plain(head, features)

    torch.testing.assert_close(head(features), expected, rtol=0, atol=1e-5)


def test_gradients_equal_those_of_the_plain_form(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stirred(build, groups), make_features(groups)
    labels = torch.tensor([0, 3, 1])

    F.cross_entropy(plain(head, features), labels).backward()
    expected = {name: gradient(value) for name, value in head.named_parameters()}
    head.zero_grad()
    F.cross_entropy(head(features), labels).backward()

    for name, value in head.named_parameters():
        difference = (gradient(value) - expected[name]).norm()
        assert difference <= 1e-4 * expected[name].norm(), name


def test_the_plain_form_takes_the_maximum_over_valid_frames_only(
    build: Build, groups: Groups
) -> None:
    adapter = part(build("ladapter", groups), FIRST, LayerAdapter).eval()
    states = torch.randn(1, 9, 6)

    padded = adapter(states, torch.tensor([4]))

    torch.testing.assert_close(padded, adapter(states[:, :4], torch.tensor([4])))


def test_has_the_paper_s_37_8_million_parameters_on_whisper_small(build: Build) -> None:
    whisper = {
        "encoder": GroupSpec(range(13), dim=768, rate=50.0),
        "decoder": GroupSpec(range(13), dim=768, rate=None),
    }

    with torch.device("meta"):
        head = build("ladapter", whisper)

    adapters = 24 * (2 * 3 * 256 * (768 + 256 + 2) + 2 * 512)
    assert adapters == 24 * 1_576_960
    assert sum(p.numel() for p in head.parameters()) == adapters + 24 + 512 * 4 + 4


def test_weights_start_at_one_over_the_layers_of_their_group(
    build: Build, groups: Groups
) -> None:
    weights = layer_weights(build("ladapter", groups))

    assert list(weights) == ["encoder", "decoder"]
    torch.testing.assert_close(weights["encoder"], torch.full((3,), 1 / 3))
    torch.testing.assert_close(weights["decoder"], torch.full((2,), 1 / 2))


def test_weights_are_free_unless_softmax_is_asked_for(
    build: Build, groups: Groups
) -> None:
    free, soft = build("ladapter", groups), build("ladapter:weights=softmax", groups)
    moved = torch.tensor([2.0, -1.0, 0.5])
    for head in (free, soft):
        part(head, "sums.0", GroupAdapter).scores.data = moved.clone()

    assert torch.equal(layer_weights(free)["encoder"], moved)
    torch.testing.assert_close(layer_weights(soft)["encoder"], moved.softmax(dim=0))


def test_softmax_changes_nothing_at_the_start(
    build: Build, groups: Groups, make_features: Make
) -> None:
    features = make_features(groups)
    free, soft = build("ladapter", groups), build("ladapter:weights=softmax", groups)

    torch.testing.assert_close(free.eval()(features), soft.eval()(features))


def test_weights_read_before_a_step_stay_as_they_were(
    build: Build, groups: Groups
) -> None:
    head = build("ladapter", groups)

    before = layer_weights(head)["decoder"]
    part(head, "sums.1", GroupAdapter).scores.data.add_(1)

    torch.testing.assert_close(before, torch.full((2,), 1 / 2))


def test_layer_0_has_an_adapter_only_where_it_is_asked_for(
    build: Build, groups: Groups, make_features: Make
) -> None:
    features, changed = make_features(groups), make_features(groups)
    changed["decoder"].states[0] = 5
    without, with_it = build("ladapter", groups), build("ladapter:state0=yes", groups)

    assert torch.equal(without.eval()(changed), without(features))
    assert not torch.allclose(with_it.eval()(changed), with_it(features))
    sums = parts(with_it, "sums", GroupAdapter)
    assert [len(fusion.adapters) for fusion in sums] == [4, 3]


@pytest.mark.parametrize("dropout", [0.5, 0.3])
def test_drops_before_each_maximum_and_before_the_classifier(
    dropout: float,
    build: Build,
    groups: Groups,
    make_features: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, features = build(f"ladapter:dropout={dropout}", groups), make_features(groups)
    masks: dict[int, Tensor] = {}
    last: list[Tensor] = []

    def seen(p: float, count: int, shape: tuple[int, int], chance: Generator) -> Tensor:
        mask = draw_masks(p, count, shape, chance)
        masks[chance.initial_seed()] = mask.transpose(0, 1)
        return mask

    monkeypatch.setattr("nserbench.downstreams.kernels.adapters.draw_masks", seen)
    dropout_of_sum = part(head, "classify.0", nn.Dropout)
    dropout_of_sum.register_forward_hook(lambda *call: last.extend(call[1]))
    torch.manual_seed(7)
    head(features)

    torch.manual_seed(7)
    fused = torch.zeros(3, 512)
    sums = parts(head, "sums", GroupAdapter)
    for fusion, (name, group) in zip(sums, features.items(), strict=True):
        adapters = parts(fusion, "adapters", LayerAdapter)
        seeds = torch.randint(2**63 - 1, (len(adapters),)).tolist()
        for number, (adapter, seed) in enumerate(zip(adapters, seeds, strict=True)):
            over_time = adapter.gru(group.states[1 + number], group.lengths)
            peak = (over_time * masks[seed]).amax(dim=1).relu()
            fused += fusion.scores[number] * adapter.norm(peak)
            assert masks[seed].shape == (3, max(LENGTHS[name]), 512)
            assert (masks[seed] == 0).float().mean() == pytest.approx(dropout, abs=0.02)
    torch.testing.assert_close(last[0], fused)


@pytest.mark.parametrize("typed", ["ladapter", "ladapter:dropout=0"])
def test_gradients_with_dropout_are_those_of_the_frames_that_were_the_maximum(
    typed: str, build: Build, groups: Groups, make_features: Make
) -> None:
    adapter = part(build(typed, groups), FIRST, LayerAdapter)
    group = make_features(groups)["encoder"]
    states, lengths = group.states[1], group.lengths
    mask = torch.ones(3, 7, 512)
    if adapter.dropout:
        chance = Generator().manual_seed(5)
        mask = draw_masks(0.5, 7, (3, 512), chance).transpose(0, 1)

    adapt_layer(adapter, states, lengths, seed=5).square().sum().backward()
    given = [gradient(one) for one in adapter.parameters()]
    adapter.zero_grad()
    peak = (adapter.gru(states, lengths) * mask).amax(dim=1)
    adapter.norm(peak.relu()).square().sum().backward()

    for one, parameter in zip(given, adapter.parameters(), strict=True):
        torch.testing.assert_close(one, gradient(parameter), rtol=1e-4, atol=1e-6)


def adapt_in_turn(
    adapters: nn.ModuleList, states: Tensor, lengths: Tensor, seeds: list[int]
) -> Tensor:
    """Adapt layers one after another."""
    each = zip(parts(adapters, "", LayerAdapter), states, seeds, strict=True)
    return torch.stack(
        [adapt_layer(one, layer, lengths, seed) for one, layer, seed in each]
    )


@pytest.fixture(params=[1, 2])
def cores(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_layers_in_threads_equal_layers_one_after_another(
    cores: int, build: Build, groups: Groups, make_features: Make
) -> None:
    adapters = part(build("ladapter", groups), ADAPTERS, nn.ModuleList)
    group = make_features(groups)["encoder"]
    outcomes = []

    for adapt in (adapt_in_turn, adapt_on_cpu):
        adapters.zero_grad()
        states = group.states[1:].clone().requires_grad_()
        adapted = adapt(adapters, states, group.lengths, [3, 1, 2])
        (adapted * torch.arange(512)).sum().backward()
        gradients = [gradient(one) for one in (states, *adapters.parameters())]
        outcomes.append([adapted, *gradients])
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == cores
        assert torch.get_num_threads() == cores

    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other)


def test_layers_stacked_as_on_a_gpu_equal_layers_one_after_another(
    build: Build, groups: Groups, make_features: Make
) -> None:
    adapters = part(build("ladapter:dropout=0", groups), ADAPTERS, nn.ModuleList)
    group = make_features(groups)["encoder"]
    with torch.no_grad():
        for one in adapters.parameters():
            one.add_(0.1 * torch.randn(one.shape))
    outcomes = []

    for adapt in (adapt_in_turn, adapt_on_gpu):
        adapters.zero_grad()
        states = group.states[1:].clone().requires_grad_()
        adapted = adapt(adapters, states, group.lengths, [3, 1, 2])
        (adapted * torch.linspace(-1, 1, 512)).sum().backward()
        gradients = [gradient(one) for one in (states, *adapters.parameters())]
        outcomes.append([adapted, *gradients])

    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)


def test_dropout_of_stacked_layers_equals_that_of_the_same_mask(
    build: Build, groups: Groups, make_features: Make
) -> None:
    adapters = part(build("ladapter", groups), ADAPTERS, nn.ModuleList)
    group = make_features(groups)["encoder"]
    states, lengths = group.states[1:], group.lengths

    given = adapt_on_gpu(adapters, states, lengths, [5, 0, 0])
    again = adapt_on_gpu(adapters, states, lengths, [5, 1, 1])
    other = adapt_on_gpu(adapters, states, lengths, [6, 0, 0])

    drawn = draw_masks(0.5, 7, (9, 512), Generator().manual_seed(5))
    masks = drawn.transpose(0, 1).unflatten(0, (3, 3))
    each = zip(given, states, masks, parts(adapters, "", LayerAdapter), strict=True)
    for one, layer, mask, adapter in each:
        peak = (adapter.gru(layer, lengths) * mask).amax(dim=1)
        torch.testing.assert_close(one, adapter.norm(peak.relu()))
    assert torch.equal(given, again)
    assert not torch.equal(given, other)


def test_autocast_rounds_the_products_of_stacked_layers(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head = build("ladapter:dropout=0", groups)
    grus = [one.gru for one in parts(head, ADAPTERS, LayerAdapter)]
    group = make_features(groups)["encoder"]
    states, lengths = group.states[1:], group.lengths

    with torch.autocast("cpu", torch.bfloat16):
        rounded = run_layers(grus, states, lengths)
        each = zip(grus, states, strict=True)
        wanted = torch.stack([gru(layer, lengths) for gru, layer in each])
    exact = run_layers(grus, states, lengths)

    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, wanted)
    assert not torch.equal(rounded, exact)


def test_no_thread_is_left_when_a_layer_fails(build: Build, groups: Groups) -> None:
    adapters = part(build("ladapter", groups), ADAPTERS, nn.ModuleList)
    before = set(enumerate_threads())
    states = torch.zeros(3, 2, 4, 99)

    with pytest.raises(RuntimeError, match="99"):
        adapt_on_cpu(adapters, states, torch.tensor([4, 1]), [0, 0, 0])

    assert set(enumerate_threads()) == before
    assert torch.get_num_threads() == 1


def test_autocast_reaches_every_layer(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("ladapter", groups).eval(), make_features(groups)
    group = features["encoder"]
    adapters = part(head, ADAPTERS, nn.ModuleList)

    with torch.autocast("cpu", torch.bfloat16):
        given = adapt_on_cpu(adapters, group.states[1:], group.lengths, [0, 0, 0])
        wanted = adapt_in_turn(adapters, group.states[1:], group.lengths, [0, 0, 0])
    exact = adapt_in_turn(adapters, group.states[1:], group.lengths, [0, 0, 0])

    assert torch.equal(given, wanted)
    assert not torch.equal(given, exact)
