"""The BiGRU against torch's own over packed sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nserbench.downstreams.recurrent import BiGRU

LENGTHS = torch.tensor([9, 1, 6, 9, 2])


def reference_of(ours: BiGRU, dim: int, units: int) -> nn.GRU:
    """Copy the weights into torch's bidirectional GRU."""
    reference = nn.GRU(dim, units, batch_first=True, bidirectional=True)
    reference.load_state_dict(
        {
            **ours.forwards.state_dict(),
            **{f"{key}_reverse": w for key, w in ours.backwards.state_dict().items()},
        }
    )
    return reference


def packed(gru: nn.GRU, states: Tensor, lengths: Tensor) -> Tensor:
    sequence = pack_padded_sequence(
        states, lengths, batch_first=True, enforce_sorted=False
    )
    return pad_packed_sequence(gru(sequence)[0], batch_first=True)[0]


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
        half = ours.backwards if name.endswith("_reverse") else ours.forwards
        given = half.get_parameter(name.removesuffix("_reverse")).grad
        torch.testing.assert_close(given, expected.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(states.grad, same.grad, rtol=1e-4, atol=1e-5)


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
