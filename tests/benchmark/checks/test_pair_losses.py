"""The check of the losses that an upstream adds from clean twins."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nserbench.benchmark.checks.pair_losses import check_losses
from nserbench.benchmark.checks.upstream_contract import check_upstream
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, UpstreamCard
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream

HOP = 160


class Good(PairUpstream):
    """A random linear map of 10 ms frames, pulled to that of the clean twin."""

    def __init__(self, options: Any, device: str) -> None:
        super().__init__(options, device)
        self.model = self.map = nn.Linear(HOP, 4)

    def forward(self, batch: Batch) -> LayeredFeatures:
        frames = [wave.unfold(0, HOP, HOP) for wave in batch.tensors()]
        return {"out": LayerGroup.pad([self.map(clip)[None] for clip in frames])}

    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        features, wanted = self.forward(batch), self.forward(clean)
        squares = (features["out"].states - wanted["out"].states.detach()).square()
        far = squares.mean(dim=3)[0].sum(dim=1) / features["out"].lengths
        return FeaturesAndLosses(features, self.spoil(far))

    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far}


CARD = UpstreamCard(
    name="tried",
    load=Good,
    groups={"out": GroupSpec(range(1, 2), dim=4, rate=100.0)},
    min_samples=HOP,
    tunable=True,
    always_trained=True,
)


class Single(Good):
    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far.mean()}


class Sick(Good):
    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far / 0}


class Numb(Good):
    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far.detach() + 0 * self.map.weight.sum()}


class Sociable(Good):
    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far / far.mean()}


class Plain(Good):
    def spoil(self, far: Tensor) -> dict[str, Tensor]:
        return {}


class Moody(Good):
    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        returned = super().forward_and_losses(batch, clean)
        group = returned.features["out"]
        moved = {"out": LayerGroup(group.states + 1, group.lengths)}
        return FeaturesAndLosses(moved, returned.losses)


def outcome(kind: type[Good]) -> tuple[bool | None, str]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    waves = [0.1 * rng.standard_normal(n, np.float32) for n in (800, 1_600)]
    return check_losses(kind({}, "cpu"), Batch.of(*waves), ())


@pytest.mark.parametrize(
    ("kind", "passed", "detail"),
    [
        (Good, True, "far: 2 parameters reached"),
        (Plain, None, "adds none with these options"),
        (Single, False, "far is () for 2 utterances"),
        (Sick, False, "far has values that are NaN or infinite"),
        (Numb, False, "no gradient of them reaches the weights"),
        (Sociable, False, "far of an utterance depends on the others"),
        (Moody, False, "out has other values where losses are asked for"),
    ],
)
def test_losses_are_checked(kind: type[Good], passed: bool | None, detail: str) -> None:
    found, said = outcome(kind)

    assert found is passed
    assert detail in said


def checked(card: UpstreamCard) -> dict[str, bool | None]:
    plugins = Plugins(installed=False)
    plugins.upstreams.add(card, "the test")
    bound = plugins.bind("upstream", parse_spec("tried"))
    found = check_upstream(bound, "cpu").findings
    return {one.check: one.passed for one in found}


def test_random_weights_are_those_of_the_seed_if_the_card_says_always_trained() -> None:
    always, once = checked(CARD), checked(replace(CARD, always_trained=False))

    assert always["losses"] is True
    assert always["same when loaded again"] is True
    assert once["same when loaded again"] is False
