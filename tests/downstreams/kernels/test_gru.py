"""The BiGRU against torch's own over packed sequences."""

from __future__ import annotations

import pytest
import torch
from heads import gradient
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nserbench.downstreams.kernels.gru_cpu import BiGRU

LENGTHS = torch.tensor([9, 1, 6, 9, 2])


def reference_of(ours: BiGRU, dim: int, units: int) -> nn.GRU:
    """Copy the weights into torch's bidirectional GRU."""
    reference = nn.GRU(dim, units, batch_first=True, bidirectional=True)
    reference.load_state_dict(ours.state_dict())
    return reference


def packed(gru: nn.GRU, states: Tensor, lengths: Tensor) -> Tensor:
    sequence = pack_padded_sequence(
        states, lengths, batch_first=True, enforce_sorted=False
    )
    states, _ = pad_packed_sequence(gru(sequence)[0], batch_first=True)
    return states


def test_equals_torch_over_packed_sequences() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    states = torch.randn(5, 9, 12)

    expected = packed(reference_of(ours, 12, 8), states, LENGTHS)

    torch.testing.assert_close(ours(states, LENGTHS), expected, rtol=0, atol=1e-5)


def test_gradients_equal_those_over_packed_sequences() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    reference = reference_of(ours, 12, 8)
    states, same = torch.randn(2, 5, 9, 12)[[0, 0]].requires_grad_().unbind()
    states.retain_grad()
    same.retain_grad()

    ours(states, LENGTHS).square().sum().backward()
    packed(reference, same, LENGTHS).square().sum().backward()

    for name, expected in reference.named_parameters():
        given, wanted = gradient(ours.get_parameter(name)), gradient(expected)
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient(states), gradient(same), rtol=1e-4, atol=1e-5)


def test_gradients_equal_differences_of_values() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=3, units=2).double()
    states = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    above = torch.randn(3, 4, 4, dtype=torch.float64)
    lengths = torch.tensor([2, 4, 1])

    def value() -> Tensor:
        products: Tensor = ours(states, lengths) * above
        return products.sum()

    value().backward()

    for tensor in (states, *ours.parameters()):
        way = torch.randn_like(tensor)
        with torch.no_grad():
            tensor.add_(1e-6 * way)
            further = value()
            tensor.sub_(2e-6 * way)
            difference = (further - value()) / 2e-6
            tensor.add_(1e-6 * way)
        torch.testing.assert_close((gradient(tensor) * way).sum(), difference)


def test_padding_beyond_the_longest_utterance_changes_nothing() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    states = torch.randn(2, 9, 12)
    lengths = torch.tensor([3, 4])

    whole = ours(states, lengths)

    torch.testing.assert_close(whole[:, :4], ours(states[:, :4], lengths))
    assert not whole[:, 4:].any()


def test_equals_the_form_for_a_gpu() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    states = torch.randn(5, 11, 12)

    torch.testing.assert_close(
        ours.packed(states, LENGTHS), ours(states, LENGTHS), rtol=0, atol=1e-5
    )


def test_gradients_can_be_computed_only_once() -> None:
    ours = BiGRU(dim=12, units=8)
    summed = ours(torch.randn(5, 9, 12), LENGTHS).sum()
    summed.backward(retain_graph=True)

    with pytest.raises(RuntimeError, match="can be computed only once"):
        summed.backward()


def test_autocast_rounds_the_products_and_gives_float32() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=64, units=8)
    states = torch.randn(5, 9, 64)
    exact = ours(states, LENGTHS)
    exact.sum().backward()
    weights = ours.get_parameter("weight_ih_l0")
    wanted = gradient(weights)
    ours.zero_grad()

    with torch.autocast("cpu", torch.bfloat16):
        rounded = ours(states, LENGTHS)
    rounded.sum().backward()

    assert rounded.dtype == gradient(weights).dtype == torch.float32
    assert 1e-5 < (rounded - exact).abs().max() < 0.02
    assert (gradient(weights) - wanted).norm() < 0.02 * wanted.norm()


def test_starts_with_the_weights_of_torch_after_the_same_seed() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    torch.manual_seed(0)
    reference = nn.GRU(12, 8, bidirectional=True)

    for given, expected in zip(ours.parameters(), reference.parameters(), strict=True):
        assert torch.equal(given, expected)


def test_is_0_in_padding_whatever_the_padding_holds() -> None:
    torch.manual_seed(0)
    ours = BiGRU(dim=12, units=8)
    states = torch.randn(5, 9, 12)
    states[1, 1:] = torch.nan

    given = ours(states, LENGTHS)

    assert not given[1, 1:].any()
    assert given[1, 0].all()
