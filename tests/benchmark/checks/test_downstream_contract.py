from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nserbench as nb
from nserbench.benchmark.checks.contract import ContractFinding
from nserbench.benchmark.checks.downstream_contract import SHAPES, check_downstream
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.groups import Groups


class Good(nn.Module):
    """The mean of valid frames of the last layer of each group, and a linear layer."""

    def __init__(self, groups: Groups, classes: int, options: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(spec.dim for spec in groups.values()), classes)
        self.dropout = nn.Dropout(0.5)

    def forward(self, features: LayeredFeatures) -> Any:
        means = [self.mean(group) for group in features.values()]
        return self.linear(self.dropout(torch.cat(means, 1)))

    def mean(self, group: nb.LayerGroup) -> Tensor:
        frames = torch.arange(group.states.shape[2]) < group.lengths[:, None]
        return (group.states[-1] * frames[..., None]).sum(1) / frames.sum(1)[:, None]


class Wide(Good):
    def forward(self, features: LayeredFeatures) -> Any:
        return super().forward(features).repeat(1, 2)


class Sure(Good):
    def forward(self, features: LayeredFeatures) -> Any:
        return super().forward(features).softmax(1)


class Greedy(Good):
    def mean(self, group: nb.LayerGroup) -> Tensor:
        return group.states[-1].mean(1)


class Sociable(Good):
    def mean(self, group: nb.LayerGroup) -> Tensor:
        return super().mean(group) - super().mean(group).mean(0)


class Careless(Good):
    def mean(self, group: nb.LayerGroup) -> Tensor:
        group.states.mul_(2)
        return super().mean(group)


class Moody(Good):
    count = 0

    def forward(self, features: LayeredFeatures) -> Any:
        Moody.count += 1
        return super().forward(features) + 1e-2 * Moody.count


class Numb(Good):
    def forward(self, features: LayeredFeatures) -> Any:
        logits = super().forward(features)
        return logits.detach().requires_grad_() if self.training else logits


class Picky(Good):
    def __init__(self, groups: Groups, classes: int, options: Any) -> None:
        super().__init__({"rms": groups["rms"]}, classes, options)


class Silent(Good):
    def forward(self, features: LayeredFeatures) -> Any:
        return None


def check(kind: type[nn.Module], shape: str = "an encoder") -> list[ContractFinding]:
    card = nb.DownstreamCard(name="tried", load=kind, tier="frames")
    return check_downstream(bind(card, parse_spec("tried")), SHAPES[shape])


def failed(findings: list[ContractFinding]) -> dict[str, str]:
    return {one.check: one.detail for one in findings if one.passed is False}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_head_that_keeps_the_contract_passes_every_check(shape: str) -> None:
    findings = check(Good, shape)

    assert {one.passed for one in findings} == {True}
    assert findings[0].detail == "shape (4, 3), all finite"


@pytest.mark.parametrize(
    ("kind", "name", "detail"),
    [
        (Wide, "returns logits", "shape (4, 6), not (batch, classes) = (4, 3)"),
        (Silent, "returns logits", "returns an object of the class NoneType"),
        (Sure, "returns logits", "each row sums to 1, as probabilities do"),
        (Greedy, "reads no padding", "relative"),
        (Sociable, "same alone and in a batch", "relative"),
        (Careless, "keeps its input", "changes the features of encoder"),
        (Moody, "same with the same seed", "a training step"),
        (Numb, "finite gradients", "no gradient reaches any of 2 parameters"),
    ],
)
def test_each_check_fails_for_the_head_that_breaks_it(
    kind: type[nn.Module], name: str, detail: str
) -> None:
    assert detail in failed(check(kind))[name]


def test_a_head_that_cannot_be_built_is_one_finding_with_file_and_line() -> None:
    findings = check(Picky)

    assert list(failed(findings)) == ["returns logits"]
    assert "KeyError: 'rms' (test_downstream_contract.py, line " in findings[0].detail
    assert {one.detail for one in findings[1:]} == {
        "not checked: needs 'returns logits'"
    }


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("ladapter", "a spectrogram", "mel has one layer: nothing to fuse"),
        ("single:layer=9", "an encoder", "layer 9 is not in encoder"),
        ("mean:groups=cls", "an encoder", "it has no group cls"),
    ],
)
def test_a_head_that_refuses_some_layers_is_not_applicable(
    plugins: Plugins, name: str, shape: str, reason: str
) -> None:
    head = plugins.downstreams.bind(parse_spec(name))

    (finding,) = check_downstream(head, SHAPES[shape])

    assert finding.passed is None
    assert finding.detail.startswith(f"not applicable: {reason}")


@pytest.mark.parametrize("name", ["best", "single:layer=all", "attention"])
def test_a_head_that_stands_for_several_is_checked(plugins: Plugins, name: str) -> None:
    head = plugins.downstreams.bind(parse_spec(name))

    findings = check_downstream(head, SHAPES["an encoder"])

    assert failed(findings) == {}
    assert len(findings) == 6
