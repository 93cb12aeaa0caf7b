"""The BiGRUs of many layers as one recurrence, for a GPU.

On a GPU, one step of one layer's recurrence is a kernel launch with very little work.
Here all layers and both directions take each step together. The backward direction
reads each utterance reversed within its length, so that it starts at the last valid
frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable

from nserbench.downstreams.kernels.gru_cpu import type_of_products


def run_layers(grus: Sequence[nn.GRU], states: Tensor, lengths: Tensor) -> Tensor:
    """Run the `BiGRU` of each layer on its own layer.

    Args:
        grus: One for each layer, all of one shape.
        states: ``(layers, batch, frames, dim)``, finite in padding as well.
        lengths: ``(batch,)`` frames.

    Returns:
        ``(layers, batch, frames, 2 * units)``, forwards first, 0 where there is
        padding.
    """
    by_name = zip(*(gru.parameters() for gru in grus), strict=True)
    stacked = [torch.stack(weights) for weights in by_name]
    over_time: Tensor = _StackedGRUs.apply(  # type: ignore[no-untyped-call] # torch's
        states, lengths.to(states.device), *stacked
    )
    return over_time


class _StackedGRUs(Function):
    """All layers and both directions, step by step, with explicit gradients.

    Steps include padding: both directions reach it after all valid frames, so it
    changes none of them, and no gradient comes from it.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor, *weights: Tensor) -> Tensor:
        kind, layers = states.device.type, len(states)
        dtype, turn = type_of_products(states), _Reversal(lengths, states.shape[2])
        with torch.autocast(kind, enabled=False):
            flat = states.flatten(1, 2).to(dtype)
            w_hh, b_hh = _both(weights[1], weights[5]), _both(weights[3], weights[7])
            inputs = [
                _bmm(flat, w_ih.mT, dtype).add_(b_ih[:, None])
                for w_ih, b_ih in ((weights[0], weights[2]), (weights[4], weights[6]))
            ]
            gates = turn.to_steps(
                [way.unflatten(1, states.shape[1:3]) for way in inputs]
            )
            out, hidden = _run(gates, w_hh, b_hh)
        ctx.save_for_backward(states, *weights)
        ctx.kept, ctx.turn, ctx.type = (gates, hidden, out), turn, dtype
        forwards, backwards = turn.from_steps(out[1:], layers)
        return torch.cat([forwards, backwards], dim=-1) * turn.valid[..., None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("a BiGRU's gradients can be computed only once")
        states, *weights = ctx.saved_tensors
        (gates, hidden, out), ctx.kept = ctx.kept, None
        turn, layers, kind = ctx.turn, len(states), states.device.type
        with torch.autocast(kind, enabled=False):
            grad_output = grad_output * turn.valid[..., None]
            w_hh = _both(weights[1], weights[5])
            inner = _run_back(
                gates, hidden, out, turn.to_steps(grad_output.chunk(2, -1)), w_hh
            )
            flat = states.flatten(1, 2).to(ctx.type)
            inputs = [way.flatten(1, 2) for way in turn.from_steps(gates, layers)]
            inner = inner.transpose(0, 1).flatten(1, 2)
            before = out[:-1].transpose(0, 1).flatten(1, 2)
            grad_w_hh, grad_b_hh = torch.bmm(inner.mT, before), inner.sum(1)
            gradients = []
            for index, way in enumerate(inputs):
                half = slice(index * layers, (index + 1) * layers)
                grad_w_ih = _bmm(way.mT, flat, ctx.type)
                gradients += [grad_w_ih, grad_w_hh[half], way.sum(1), grad_b_hh[half]]
            grad_states = None
            if ctx.needs_input_grad[0]:
                ways = zip(inputs, (weights[0], weights[4]), strict=True)
                parts = [_bmm(way, w_ih, ctx.type) for way, w_ih in ways]
                grad_states = (parts[0] + parts[1]).view(states.shape)
        return grad_states, None, *gradients


class _Reversal:
    """Reverses utterances within their lengths, and orders both directions by step.

    Args:
        lengths: ``(batch,)`` frames.
        frames: Frames of the padded batch.

    Attributes:
        valid: ``(batch, frames)``: 1.0 where there is a frame, 0.0 in padding.
    """

    def __init__(self, lengths: Tensor, frames: int) -> None:
        frame = torch.arange(frames, device=lengths.device)
        is_valid = frame < lengths[:, None]
        self.valid = is_valid.float()
        self._reversed = torch.where(is_valid, lengths[:, None] - 1 - frame, frame)

    def to_steps(self, ways: Sequence[Tensor]) -> Tensor:
        """Order ``(layers, batch, frames, width)`` of both directions by step.

        Returns:
            ``(frames, 2 * layers, batch, width)``, forwards first.
        """
        forwards, backwards = ways
        both = torch.cat([forwards, self._reverse(backwards)])
        return both.permute(2, 0, 1, 3).contiguous()

    def from_steps(self, steps: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """Return both directions of ``steps``, the reverse of `to_steps`."""
        forwards, backwards = steps.permute(1, 2, 0, 3).split(layers)
        return forwards, self._reverse(backwards)

    def _reverse(self, states: Tensor) -> Tensor:
        frames = self._reversed[None, :, :, None].expand(states.shape)
        return states.gather(2, frames)


def _both(forwards: Tensor, backwards: Tensor) -> Tensor:
    return torch.cat([forwards, backwards])


def _bmm(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """Multiply in ``dtype``; return the finer of their own types."""
    finer = torch.promote_types(left.dtype, right.dtype)
    return torch.bmm(left.to(dtype), right.to(dtype)).to(finer)


def _run(gates: Tensor, w_hh: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor]:
    """Run over all steps, as in `torch.nn.GRU`; see `gru_cpu`.

    Args:
        gates: ``(frames, groups, batch, 3 * units)``: the input's part of reset,
            update and candidate, which overwrite it.
        w_hh: ``(groups, 3 * units, units)``.
        b_hh: ``(groups, 3 * units)``.

    Returns:
        The states, ``(1 + frames, groups, batch, units)``, the first of them 0; and
        the state's part of the candidate, before it is multiplied by the reset gate,
        ``(frames, groups, batch, units)``.
    """
    frames, groups, batch, _ = gates.shape
    units = w_hh.shape[2]
    out = gates.new_zeros(1 + frames, groups, batch, units)
    hidden = gates.new_empty(frames, groups, batch, units)
    w_hh_t, bias = w_hh.mT.contiguous(), b_hh[:, None]
    for before, after, reset_update, candidate, kept in _steps(
        out[:-1], out[1:], gates, hidden
    ):
        from_state = torch.baddbmm(bias, before, w_hh_t)
        to_gates, to_candidate = from_state.tensor_split([2 * units], -1)
        reset, update = reset_update.add_(to_gates).sigmoid_().chunk(2, dim=-1)
        candidate.addcmul_(reset, kept.copy_(to_candidate)).tanh_()
        torch.lerp(candidate, before, update, out=after)
    return out, hidden


def _run_back(
    gates: Tensor, hidden: Tensor, out: Tensor, grad_output: Tensor, w_hh: Tensor
) -> Tensor:
    """Turn the gates into the gradients of what enters their sigmoids and tanh.

    Args:
        out: The states that `_run` returned.
        grad_output: ``(frames, groups, batch, units)``, the gradient of the output.
        w_hh: ``(groups, 3 * units, units)``.

    Returns:
        ``(frames, groups, batch, 3 * units)``, the gradient of the state's part.
    """
    inner, units = torch.empty_like(gates), w_hh.shape[2]
    grad = torch.zeros_like(grad_output[0])
    sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
    steps = zip(_steps(out[:-1], grad_output, gates, hidden), inner, strict=True)
    for (before, grad_step, reset_update, candidate, kept), grad_inner in reversed(
        [*steps]
    ):
        reset, update = reset_update.chunk(2, dim=-1)
        grad_reset, grad_update, grad_candidate = grad_inner.chunk(3, dim=-1)
        grad += grad_step
        torch.mul(before - candidate, grad, out=grad_update)
        grad_state = grad * update
        tanh(grad.sub_(grad_state), candidate, grad_input=candidate)
        torch.mul(candidate, kept, out=grad_reset)
        torch.mul(candidate, reset, out=grad_candidate)
        grad_gates = grad_inner[..., : 2 * units]
        reset_update.copy_(sigmoid(grad_gates, reset_update, grad_input=grad_gates))
        grad = torch.baddbmm(grad_state, grad_inner, w_hh)
    return inner


def _steps(
    first: Tensor, second: Tensor, gates: Tensor, hidden: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    """Yield two tensors, gates, candidate and hidden, step by step."""
    units = hidden.shape[-1]
    reset_update, candidate = gates.split([2 * units, units], dim=-1)
    yield from zip(first, second, reset_update, candidate, hidden, strict=True)
