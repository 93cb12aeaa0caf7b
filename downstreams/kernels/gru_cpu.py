"""A bidirectional GRU over a padded batch, as if each utterance were alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nserbench.matmul import PackedWeight, multiply

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


class BiGRU(nn.GRU):
    """One layer of GRU in both directions.

    The backward direction starts at the last valid frame of each utterance, as in
    ``nn.GRU(bidirectional=True)`` over a packed sequence: the function is the same,
    and so are the names of the weights and their values after the same seed. On a CPU
    torch keeps a graph of every step; here the gradients are written out instead,
    which is faster and takes less memory.

    Under ``torch.autocast`` the products over all frames at once have its type; the
    recurrence stays in float32.

    Args:
        dim: Width of the input.
        units: Width of each direction's output.
    """

    def __init__(self, dim: int, units: int) -> None:
        super().__init__(dim, units, batch_first=True, bidirectional=True)

    def forward(  # type: ignore[override] # lengths, where torch takes a first state
        self, states: Tensor, lengths: Tensor
    ) -> Tensor:
        """Run over both directions.

        Args:
            states: ``(batch, frames, dim)``. What padding holds does not matter.
            lengths: ``(batch,)`` frames.

        Returns:
            ``(batch, frames, 2 * units)``, forwards first, 0 where there is padding.
        """
        if states.device.type != "cpu":
            return self.packed(states, lengths)
        self.check_input(states, None)
        over_time: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call] # torch's
            states, lengths, *self.parameters()
        )
        return over_time

    def packed(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Run torch's own `nn.GRU` over packed sequences; arguments as `forward`.

        This is the plain form, and on a GPU it is cuDNN's.
        """
        sequence = pack_padded_sequence(
            states, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        over_time, _ = pad_packed_sequence(
            super().forward(sequence)[0],
            batch_first=True,
            total_length=states.shape[1],
        )
        return over_time


class _Recurrence(Function):
    """Both directions, over valid frames only."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor, *weights: Tensor) -> Tensor:
        batch, frames, _ = states.shape
        packing = _Packing.of(lengths, frames)
        valid = packing.take(states).to(type_of_products(states))
        both = _Weights(*weights[:4]), _Weights(*weights[4:])
        # A direction starts from the zeros before the first or after the last step.
        out = states.new_zeros(frames + 2, batch, 2 * both[0].units)
        ctx.directions = [
            _Direction(packing.sizes, half, backwards=backwards)
            for half, backwards in zip(out.chunk(2, dim=2), (False, True), strict=True)
        ]
        for direction, of_direction in zip(ctx.directions, both, strict=True):
            direction.run(valid, of_direction)
        ctx.save_for_backward(states, *weights)
        ctx.packing, ctx.type = packing, valid.dtype
        return out[1:-1].index_select(1, packing.ranks).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.directions is None:
            raise RuntimeError("a BiGRU's gradients can be computed only once")
        states, *weights = ctx.saved_tensors
        both = _Weights(*weights[:4]), _Weights(*weights[4:])
        grad_output = grad_output.transpose(0, 1).index_select(1, ctx.packing.order)
        # Taken again: a copy kept for each layer would cost more memory.
        valid = ctx.packing.take(states).to(ctx.type)
        gradients: list[Tensor] = []
        grad_states = None
        if ctx.needs_input_grad[0]:
            grad_states = torch.zeros_like(valid, dtype=states.dtype)
        halves = grad_output.chunk(2, dim=2)
        for direction, of_direction, half in zip(
            ctx.directions, both, halves, strict=True
        ):
            direction.run_back(half, of_direction.w_hh)
            gradients += direction.gradients(valid, ctx.packing.steps)
            if grad_states is not None:
                grad_states += _product(direction.gates, of_direction.w_ih, ctx.type)
        ctx.directions = None
        if grad_states is None:
            return None, None, *gradients
        return ctx.packing.put(grad_states, states), None, *gradients


class _Weights(NamedTuple):
    """Weights of one direction; rows in torch's order: reset, update, candidate."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor
    b_hh: Tensor

    @property
    def units(self) -> int:
        return self.w_hh.shape[1]


@dataclass(frozen=True, slots=True)
class _Packing:
    """The valid frames of a batch, by step; in each step the longest utterance first.

    Attributes:
        order: ``(batch,)`` indices of the utterances, the longest first.
        ranks: ``(batch,)`` position of each utterance in that order.
        sizes: Number of utterances that have a frame, for each step with any.
        frames: ``(valid,)`` indices of the valid frames in ``(batch * frames,)``.
        steps: ``(valid,)`` their indices in ``(frames * batch,)``, sorted.
    """

    order: Tensor
    ranks: Tensor
    sizes: list[int]
    frames: Tensor
    steps: Tensor

    @classmethod
    def of(cls, lengths: Tensor, frames: int) -> _Packing:
        order = lengths.argsort(descending=True, stable=True)
        is_valid = torch.arange(frames)[:, None] < lengths[order]
        step, rank = is_valid.nonzero(as_tuple=True)
        return cls(
            order=order,
            ranks=order.argsort(),
            sizes=is_valid.sum(dim=1)[: int(lengths.max())].tolist(),
            frames=order[rank] * frames + step,
            steps=step * len(lengths) + rank,
        )

    def take(self, states: Tensor) -> Tensor:
        """Return the valid frames, ``(valid, dim)``, of ``(batch, frames, dim)``."""
        return states.flatten(0, 1).index_select(0, self.frames)

    def put(self, valid: Tensor, states: Tensor) -> Tensor:
        """Put valid frames into zeros of the shape of ``states``."""
        padded = states.new_zeros(states.shape)
        padded.flatten(0, 1).index_copy_(0, self.frames, valid)
        return padded


class _Direction:
    """One direction over the valid frames: forward pass and gradients.

    Args:
        sizes: As in `_Packing`.
        out: ``(1 + frames + 1, batch, units)``, zeros, in the order of the packing.
            `run` writes the valid frames.
        backwards: Whether it starts at the last frame.

    Attributes:
        gates: ``(valid, 3 * units)``: reset, update and candidate. After `run_back`,
            the gradients of what enters their sigmoids and tanh.
        hidden: ``(valid, units)``: the state's part of the candidate, before it is
            multiplied by the reset gate. After `run_back`, its gradient.
    """

    gates: Tensor
    hidden: Tensor

    def __init__(self, sizes: list[int], out: Tensor, *, backwards: bool) -> None:
        self.sizes = sizes
        self.backwards = backwards
        self.after = out[1:-1]
        self.before = out[2:] if backwards else out[:-2]

    def run(self, valid: Tensor, weights: _Weights) -> None:
        """Run over ``(valid, dim)``, as `torch.nn.GRU` does.

        ``reset, update = sigmoid(W x + b + U h + c)``,
        ``candidate = tanh(W x + b + reset (U h + c))``, and the new state is
        ``candidate + update (h - candidate)``.
        """
        w_ih, w_hh, b_ih, b_hh = weights
        cuts, batch = [2 * weights.units, weights.units], self.sizes[0]
        self.gates = _product(valid, w_ih.t(), valid.dtype, b_ih)
        self.hidden = self.gates.new_empty(len(valid), weights.units)
        inner = PackedWeight(w_hh.t(), b_hh, rows=batch)
        for reset_update, candidate, hidden, before, after in self._steps(self.after):
            to_gates, to_candidate = inner(before).split(cuts, dim=1)
            reset, update = reset_update.add_(to_gates).sigmoid_().chunk(2, dim=1)
            candidate.addcmul_(reset, hidden.copy_(to_candidate)).tanh_()
            torch.lerp(candidate, before, update, out=after)

    def run_back(self, grad_output: Tensor, w_hh: Tensor) -> None:
        """Turn the gates into gradients, in place.

        Args:
            grad_output: ``(frames, batch, units)``, the gradient of the output.
            w_hh: ``(3 * units, units)``.
        """
        units, inner = w_hh.shape[1], PackedWeight(w_hh, rows=self.sizes[0])
        ahead, kept = torch.zeros_like(grad_output[0]), torch.empty_like(grad_output[0])
        both = grad_output.new_empty(len(kept), 3 * units)
        for reset_update, candidate, hidden, before, grad_step in self._steps(
            grad_output, back=True
        ):
            size = len(candidate)
            grad, grad_state, grad_inner = ahead[:size], kept[:size], both[:size]
            reset, update = reset_update.chunk(2, dim=1)
            grad_reset, grad_update, _ = grad_inner.chunk(3, dim=1)
            grad += grad_step
            torch.mul(
                torch.sub(before, candidate, out=grad_state), grad, out=grad_update
            )
            torch.mul(grad, update, out=grad_state)
            _tanh_backward(grad.sub_(grad_state), candidate, grad_input=candidate)
            torch.mul(candidate, hidden, out=grad_reset)
            torch.mul(candidate, reset, out=hidden)
            _sigmoid_backward(
                grad_inner[:, : 2 * units], reset_update, grad_input=reset_update
            )
            torch.cat([reset_update, hidden], dim=1, out=grad_inner)
            torch.add(grad_state, inner(grad_inner), out=grad)

    def gradients(self, valid: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of the weights, in torch's order, after `run_back`."""
        before = self.before.flatten(0, 1).index_select(0, steps)
        grad_gates = self.gates[:, : -self.hidden.shape[1]]
        grad_w_hh = [multiply(gate.t(), before) for gate in (grad_gates, self.hidden)]
        grad_b_ih = self.gates.sum(dim=0)
        grad_b_hh = torch.cat(
            [grad_b_ih[: grad_gates.shape[1]], self.hidden.sum(dim=0)]
        )
        grad_w_ih = _product(self.gates.t(), valid, valid.dtype)
        return grad_w_ih, torch.cat(grad_w_hh), grad_b_ih, grad_b_hh

    def _steps(self, last: Tensor, *, back: bool = False) -> Iterable[list[Tensor]]:
        """Return gates, candidate, hidden, the state before and ``last``, by steps.

        Args:
            last: ``(frames, batch, units)``, the last tensor of each step.
            back: Whether to go against the direction.
        """
        units = self.hidden.shape[1]
        reset_update, candidate = self.gates.split([2 * units, units], dim=1)
        packed = [
            values.split(self.sizes)
            for values in (reset_update, candidate, self.hidden)
        ]
        padded = [
            [step[:size] for step, size in zip(states, self.sizes, strict=False)]
            for states in (self.before, last)
        ]
        steps = [list(step) for step in zip(*packed, *padded, strict=True)]
        return reversed(steps) if self.backwards != back else steps


def type_of_products(states: Tensor) -> torch.dtype:
    """Return the type of the products over all frames, which autocast may set."""
    if torch.is_autocast_enabled(kind := states.device.type):
        return torch.get_autocast_dtype(kind)
    return states.dtype


def _product(
    left: Tensor, right: Tensor, dtype: torch.dtype, bias: Tensor | None = None
) -> Tensor:
    """Multiply matrices in ``dtype``; return the finer of their own types."""
    finer = torch.promote_types(left.dtype, right.dtype)
    if dtype == finer:
        return multiply(left, right, bias)
    product = (left.to(dtype) @ right.to(dtype)).to(finer)
    return product if bias is None else product.add_(bias)
