from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from nserbench.benchmark.training import stacked_linear
from nserbench.benchmark.training.stacked_linear import WideLinear

HEADS, ROWS = 3, 7


def gradients(own: bool, bias: bool) -> list[Tensor]:
    """Return the gradients of stacked heads of two layers, and of their input."""
    torch.manual_seed(0)
    heads = [
        nn.Sequential(nn.Linear(40, 24, bias=bias), nn.ReLU(), nn.Linear(24, 4))
        for _ in range(HEADS)
    ]
    weights, _ = stack_module_state(heads)
    values = torch.randn(HEADS, ROWS, 40, requires_grad=True)

    def forward(state: dict[str, Tensor], given: Tensor) -> Any:
        return functional_call(heads[0], state, (given,))

    with WideLinear(HEADS) if own else nullcontext():
        outputs = vmap(forward)(weights, values)
    outputs.square().sum().backward()
    found = [values.grad, *(weight.grad for weight in weights.values())]
    return [outputs.detach(), *(one for one in found if one is not None)]


@pytest.mark.parametrize("bias", [True, False])
def test_wide_layers_have_the_bits_of_torch(
    monkeypatch: pytest.MonkeyPatch, bias: bool
) -> None:
    monkeypatch.setattr(stacked_linear, "WIDE", 1)

    own, torchs = gradients(True, bias), gradients(False, bias)

    assert len(own) == 5 + bias
    assert all(map(torch.equal, own, torchs))


@pytest.mark.parametrize(("heads", "times"), [(HEADS, 1), (HEADS - 1, 0)])
def test_only_a_stack_with_enough_weights_takes_the_own_way(
    monkeypatch: pytest.MonkeyPatch, heads: int, times: int
) -> None:
    calls, apply = [], stacked_linear._StackedLinear.apply

    def count(*given: Tensor) -> Any:
        calls.append(1)
        return apply(*given)  # type: ignore[no-untyped-call] # torch's

    monkeypatch.setattr(stacked_linear._StackedLinear, "apply", count)
    monkeypatch.setattr(stacked_linear, "WIDE", HEADS * 40 * 24)
    torch.manual_seed(0)
    weight = torch.randn(HEADS, 24, 40)

    with WideLinear(heads):
        vmap(nn.functional.linear)(
            torch.randn(HEADS, ROWS, 40), weight, weight[:, :, 0]
        )

    assert len(calls) == times
