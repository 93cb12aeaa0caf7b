"""The layer adapter against Sec. III-C written out with packed sequences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nserbench.upstreams.base import Groups, GroupSpec, LayerGroup

Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]


def reference(
    head: nn.Module, features: dict[str, LayerGroup], copies: list[nn.GRU]
) -> Tensor:
    """Give logits by Eqs. 5 to 8, with packed `nn.GRU` of the head's weights."""
    fused = torch.zeros(())
    for fusion, group in zip(head.sums, features.values(), strict=True):
        for number, adapter in enumerate(fusion.adapters):
            dim = group.states.shape[-1]
            gru = nn.GRU(dim, 256, batch_first=True, bidirectional=True)
            for given, wanted in zip(
                gru.parameters(), adapter.gru.parameters(), strict=True
            ):
                given.data = wanted.data.clone()
            copies.append(gru)
            sequence = pack_padded_sequence(
                group.states[1 + number],
                group.lengths,
                batch_first=True,
                enforce_sorted=False,
            )
            over_time, _ = pad_packed_sequence(
                gru(sequence)[0], batch_first=True, padding_value=-torch.inf
            )
            peak = F.relu(over_time.max(dim=1).values)
            normed = F.layer_norm(peak, (512,), adapter.norm.weight, adapter.norm.bias)
            fused = fused + fusion.scores[number] * normed
    return head.classify(fused)


def stirred(build: Build, groups: Groups) -> nn.Module:
    """Build a head whose norms and weights have left their initial values."""
    head = build("ladapter", groups).eval()
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if "gru" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return head


def test_equals_the_paper_written_out_with_packed_sequences(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stirred(build, groups), make_features(groups)

    expected = reference(head, features, [])

    torch.testing.assert_close(head(features), expected, rtol=0, atol=1e-5)


def test_gradients_equal_those_over_packed_sequences(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = stirred(build, groups), make_features(groups)
    copies: list[nn.GRU] = []
    labels = torch.tensor([0, 3, 1])

    F.cross_entropy(reference(head, features, copies), labels).backward()
    head.zero_grad()
    F.cross_entropy(head(features), labels).backward()

    adapters = [adapter for fusion in head.sums for adapter in fusion.adapters]
    for copy, adapter in zip(copies, adapters, strict=True):
        pairs = zip(adapter.gru.parameters(), copy.parameters(), strict=True)
        for given, wanted in pairs:
            assert (given.grad - wanted.grad).norm() <= 1e-4 * wanted.grad.norm()


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
    weights = build("ladapter", groups).layer_weights()

    assert list(weights) == ["encoder", "decoder"]
    torch.testing.assert_close(weights["encoder"], torch.full((3,), 1 / 3))
    torch.testing.assert_close(weights["decoder"], torch.full((2,), 1 / 2))


def test_weights_are_free_unless_softmax_is_asked_for(
    build: Build, groups: Groups
) -> None:
    free, soft = build("ladapter", groups), build("ladapter:weights=softmax", groups)
    moved = torch.tensor([2.0, -1.0, 0.5])
    for head in (free, soft):
        head.sums[0].scores.data = moved.clone()

    assert torch.equal(free.layer_weights()["encoder"], moved)
    torch.testing.assert_close(soft.layer_weights()["encoder"], moved.softmax(dim=0))


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

    before = head.layer_weights()["decoder"]
    head.sums[1].scores.data.add_(1)

    torch.testing.assert_close(before, torch.full((2,), 1 / 2))


def test_layer_0_has_an_adapter_only_where_it_is_asked_for(
    build: Build, groups: Groups, make_features: Make
) -> None:
    features, changed = make_features(groups), make_features(groups)
    changed["decoder"].states[0] = 5
    without, with_it = build("ladapter", groups), build("ladapter:state0=yes", groups)

    assert torch.equal(without.eval()(changed), without(features))
    assert not torch.allclose(with_it.eval()(changed), with_it(features))
    assert [len(fusion.adapters) for fusion in with_it.sums] == [4, 3]


def test_drops_before_each_maximum_and_before_the_classifier(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, seen = build("ladapter:dropout=0.9", groups), []
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda *call: seen.append(call[2]))

    head(make_features(groups))

    shapes = [tuple(output.shape) for output in seen]
    assert shapes == [(3, 7, 512)] * 3 + [(3, 4, 512)] * 2 + [(3, 512)]
    assert all((output == 0).float().mean() > 0.8 for output in seen)
