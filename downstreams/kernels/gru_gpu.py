"""The BiGRUs of many layers as one recurrence, for a GPU.

There a step of one layer's recurrence is a launch of next to no work, and its layers,
directions and frames follow one another. Here all layers take each step together, in
both directions: the backward one reads each utterance turned round within its length,
so that it starts at its last valid frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable

from nserbench.downstreams.kernels.gru_cpu import type_of_products


def run_grouped(grus: Sequence[nn.GRU], states: Tensor, lengths: Tensor) -> Tensor:
    """Give what each `BiGRU` gives of its own layer.

    Args:
        grus: One for each layer, all of one shape.
        states: ``(layers, batch, frames, dim)``, finite in padding, too.
        lengths: ``(batch,)`` frames.

    Returns:
        ``(layers, batch, frames, 2 * units)``, forwards first, 0 where there is
        padding.
    """
    each = zip(*(gru.parameters() for gru in grus), strict=True)
    stacked = [torch.stack(ones) for ones in each]
    found: Tensor = _Grouped.apply(  # type: ignore[no-untyped-call] # torch's
        states, lengths.to(states.device), *stacked
    )
    return found


class _Grouped(Function):
    """All layers and both directions, step by step, with written-out gradients.

    Nothing has to be left out of the steps: both directions reach padding after all
    valid frames, so that it changes none of them, and no gradient comes from it.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor, *weights: Tensor) -> Tensor:
        kind, layers = states.device.type, len(states)
        dtype, turn = type_of_products(states), _Reversal(lengths, states.shape[2])
        with torch.autocast(kind, enabled=False):
            flat = states.flatten(1, 2).to(dtype)
            w_hh, b_hh = _both(weights[1], weights[5]), _both(weights[3], weights[7])
            into = [
                _bmm(flat, w_ih.mT, dtype).add_(b_ih[:, None])
                for w_ih, b_ih in ((weights[0], weights[2]), (weights[4], weights[6]))
            ]
            gates = turn.to_steps([one.unflatten(1, states.shape[1:3]) for one in into])
            out, hidden = _run(gates, w_hh, b_hh)
        ctx.save_for_backward(states, *weights)
        ctx.kept, ctx.turn, ctx.type = (gates, hidden, out), turn, dtype
        forwards, backwards = turn.from_steps(out[1:], layers)
        return torch.cat([forwards, backwards], dim=-1) * turn.valid[..., None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("a BiGRU's gradients can be asked for only once")
        states, *weights = ctx.saved_tensors
        (gates, hidden, out), ctx.kept = ctx.kept, None
        turn, layers, kind = ctx.turn, len(states), states.device.type
        with torch.autocast(kind, enabled=False):
            above = above * turn.valid[..., None]
            w_hh = _both(weights[1], weights[5])
            inner = _run_back(
                gates, hidden, out, turn.to_steps(above.chunk(2, -1)), w_hh
            )
            flat = states.flatten(1, 2).to(ctx.type)
            into = [one.flatten(1, 2) for one in turn.from_steps(gates, layers)]
            inner = inner.transpose(0, 1).flatten(1, 2)
            before = out[:-1].transpose(0, 1).flatten(1, 2)
            of_w_hh, of_b_hh = torch.bmm(inner.mT, before), inner.sum(1)
            gradients = []
            for place, one in enumerate(into):
                half = slice(place * layers, (place + 1) * layers)
                of_w_ih = _bmm(one.mT, flat, ctx.type)
                gradients += [of_w_ih, of_w_hh[half], one.sum(1), of_b_hh[half]]
            below = None
            if ctx.needs_input_grad[0]:
                ways = zip(into, (weights[0], weights[4]), strict=True)
                parts = [_bmm(one, w_ih, ctx.type) for one, w_ih in ways]
                below = (parts[0] + parts[1]).view(states.shape)
        return below, None, *gradients


class _Reversal:
    """Turns utterances round within their lengths, and lays both ways out by step.

    Args:
        lengths: ``(batch,)`` frames.
        frames: Of the longest, or more.

    Attributes:
        valid: ``(batch, frames)``: 1.0 where there is a frame, 0.0 in padding.
    """

    def __init__(self, lengths: Tensor, frames: int) -> None:
        place = torch.arange(frames, device=lengths.device)
        there = place < lengths[:, None]
        self.valid = there.float()
        self._places = torch.where(there, lengths[:, None] - 1 - place, place)

    def to_steps(self, ways: Sequence[Tensor]) -> Tensor:
        """Lay ``(layers, batch, frames, width)`` of both ways out by step.

        Returns:
            ``(frames, 2 * layers, batch, width)``, forwards first.
        """
        forwards, backwards = ways
        both = torch.cat([forwards, self._turned(backwards)])
        return both.permute(2, 0, 1, 3).contiguous()

    def from_steps(self, steps: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """Do the reverse."""
        forwards, backwards = steps.permute(1, 2, 0, 3).split(layers)
        return forwards, self._turned(backwards)

    def _turned(self, states: Tensor) -> Tensor:
        places = self._places[None, :, :, None].expand(states.shape)
        return states.gather(2, places)


def _both(forwards: Tensor, backwards: Tensor) -> Tensor:
    return torch.cat([forwards, backwards])


def _bmm(one: Tensor, other: Tensor, dtype: torch.dtype) -> Tensor:
    """Multiply in a type, and give float32 or finer."""
    finer = torch.promote_types(one.dtype, other.dtype)
    return torch.bmm(one.to(dtype), other.to(dtype)).to(finer)


def _run(gates: Tensor, w_hh: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor]:
    """Run over all steps, as in `torch.nn.GRU`; see ``recurrent``.

    Args:
        gates: ``(frames, groups, batch, 3 * units)``: what the input adds to r, z and
            n, which are put in its place.
        w_hh: ``(groups, 3 * units, units)``.
        b_hh: ``(groups, 3 * units)``.

    Returns:
        The states, ``(1 + frames, groups, batch, units)``, the first of them 0; and the
        state's part of n before it is multiplied by r, ``(frames, ...)``.
    """
    frames, groups, batch, _ = gates.shape
    units = w_hh.shape[2]
    out = gates.new_zeros(1 + frames, groups, batch, units)
    hidden = gates.new_empty(frames, groups, batch, units)
    inwards, bias = w_hh.mT.contiguous(), b_hh[:, None]
    for before, after, rz, n, kept in _steps(out[:-1], out[1:], gates, hidden):
        of_rz, of_n = torch.baddbmm(bias, before, inwards).tensor_split([2 * units], -1)
        r, z = rz.add_(of_rz).sigmoid_().chunk(2, dim=-1)
        n.addcmul_(r, kept.copy_(of_n)).tanh_()
        torch.lerp(n, before, z, out=after)
    return out, hidden


def _run_back(
    gates: Tensor, hidden: Tensor, out: Tensor, above: Tensor, w_hh: Tensor
) -> Tensor:
    """Turn the gates into the gradients of what goes into their sigmoids and tanh.

    Args:
        gates: As `_run` left them.
        hidden: As it gave them.
        out: Likewise.
        above: ``(frames, groups, batch, units)``, the gradient of the output.
        w_hh: ``(groups, 3 * units, units)``.

    Returns:
        ``(frames, groups, batch, 3 * units)``, the gradient of the state's part.
    """
    inner, units = torch.empty_like(gates), w_hh.shape[2]
    grad = torch.zeros_like(above[0])
    sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
    each = zip(_steps(out[:-1], above, gates, hidden), inner, strict=True)
    for (before, given, rz, n, kept), to_inner in reversed([*each]):
        r, z = rz.chunk(2, dim=-1)
        to_r, to_z, to_n = to_inner.chunk(3, dim=-1)
        grad += given
        torch.mul(before - n, grad, out=to_z)
        to_state = grad * z
        tanh(grad.sub_(to_state), n, grad_input=n)
        torch.mul(n, kept, out=to_r)
        torch.mul(n, r, out=to_n)
        to_rz = to_inner[..., : 2 * units]
        rz.copy_(sigmoid(to_rz, rz, grad_input=to_rz))
        grad = torch.baddbmm(to_state, to_inner, w_hh)
    return inner


def _steps(
    one: Tensor, other: Tensor, gates: Tensor, hidden: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    """Give two tensors, rz, n and hidden step by step."""
    units = hidden.shape[-1]
    rz, n = gates.split([2 * units, units], dim=-1)
    yield from zip(one, other, rz, n, hidden, strict=True)
