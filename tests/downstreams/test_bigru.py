"""The BiGRU head against a plain one, an utterance at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from heads import part, parts
from torch import nn

from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups

Build = Callable[..., nn.Module]
Make = Callable[..., dict[str, LayerGroup]]


def test_equals_a_plain_bigru_run_on_each_utterance_alone(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, features = build("bigru", groups).eval(), make_features(groups)

    read = []
    grus = parts(head, "grus", BiGRU)
    for ours, (group, spec) in zip(grus, groups.items(), strict=True):
        plain = nn.GRU(spec.dim, 256, batch_first=True, bidirectional=True)
        for given, wanted in zip(plain.parameters(), ours.parameters(), strict=True):
            given.data = wanted.data
        states, lengths = features[group].states[-1], features[group].lengths
        means = [plain(states[[i], :n])[0].mean(dim=1) for i, n in enumerate(lengths)]
        read.append(torch.cat(means))
    expected = part(head, "classify", nn.Linear)(torch.cat(read, dim=1))

    torch.testing.assert_close(head(features), expected, rtol=1e-5, atol=1e-6)


def test_drops_before_the_mean_and_before_the_classifier(
    build: Build, groups: Groups, make_features: Make
) -> None:
    head, seen = build("bigru:dropout=0.9", groups), []
    dropout = part(head, "dropout", nn.Dropout)
    dropout.register_forward_hook(lambda *call: seen.append(call[2]))

    head(make_features(groups))

    shapes = [tuple(output.shape) for output in seen]
    assert shapes == [(3, 7, 512), (3, 4, 512), (3, 1024)]
    assert all((output == 0).float().mean() > 0.8 for output in seen)
