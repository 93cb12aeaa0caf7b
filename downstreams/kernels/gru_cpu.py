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
        found: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call] # torch's
            states, lengths, *self.parameters()
        )
        return found

    def packed(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Do the same by torch's own GRU, which on a GPU is cuDNN's."""
        sequence = pack_padded_sequence(
            states, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        found, _ = pad_packed_sequence(
            super().forward(sequence)[0],
            batch_first=True,
            total_length=states.shape[1],
        )
        return found


class _Recurrence(Function):
    """Both directions, over the valid frames alone."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, lengths: Tensor, *weights: Tensor) -> Tensor:
        batch, frames, _ = states.shape
        packing = _Packing.of(lengths, frames)
        valid = packing.take(states).to(type_of_products(states))
        both = _Weights(*weights[:4]), _Weights(*weights[4:])
        # The step of zeros at either end is what a direction starts from.
        out = states.new_zeros(frames + 2, batch, 2 * both[0].units)
        ctx.directions = [
            _Direction(packing.sizes, half, backwards=backwards)
            for half, backwards in zip(out.chunk(2, dim=2), (False, True), strict=True)
        ]
        for direction, one in zip(ctx.directions, both, strict=True):
            direction.run(valid, one)
        ctx.save_for_backward(states, *weights)
        ctx.packing, ctx.type = packing, valid.dtype
        return out[1:-1].index_select(1, packing.ranks).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.directions is None:
            raise RuntimeError("a BiGRU's gradients can be asked for only once")
        states, *weights = ctx.saved_tensors
        both = _Weights(*weights[:4]), _Weights(*weights[4:])
        above = above.transpose(0, 1).index_select(1, ctx.packing.order)
        # Taken again, since to keep a copy for each layer would cost more memory.
        valid = ctx.packing.take(states).to(ctx.type)
        gradients: list[Tensor] = []
        below = torch.zeros_like(valid, dtype=states.dtype)
        halves = above.chunk(2, dim=2)
        for direction, one, half in zip(ctx.directions, both, halves, strict=True):
            direction.run_back(half, one.w_hh)
            gradients += direction.gradients(valid, ctx.packing.steps)
            if ctx.needs_input_grad[0]:
                below += _product(direction.gates, one.w_ih, ctx.type)
        ctx.directions = None
        wanted = ctx.packing.put(below, states) if ctx.needs_input_grad[0] else None
        return wanted, None, *gradients


class _Weights(NamedTuple):
    """Those of one direction, in torch's order: reset, update and new gate."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor
    b_hh: Tensor

    @property
    def units(self) -> int:
        return self.w_hh.shape[1]


@dataclass(frozen=True, slots=True)
class _Packing:
    """The valid frames of a batch: step by step, at each the longest utterance first.

    Attributes:
        order: ``(batch,)`` places of the utterances, the longest first.
        ranks: ``(batch,)`` places in that order.
        sizes: How many utterances have a frame, for each step at which one has.
        frames: ``(valid,)`` places of the valid frames in ``(batch * frames,)``.
        steps: ``(valid,)`` the same in ``(frames * batch,)``, in the order.
    """

    order: Tensor
    ranks: Tensor
    sizes: list[int]
    frames: Tensor
    steps: Tensor

    @classmethod
    def of(cls, lengths: Tensor, frames: int) -> _Packing:
        order = lengths.argsort(descending=True, stable=True)
        there = torch.arange(frames)[:, None] < lengths[order]
        step, rank = there.nonzero(as_tuple=True)
        return cls(
            order=order,
            ranks=order.argsort(),
            sizes=there.sum(dim=1)[: int(lengths.max())].tolist(),
            frames=order[rank] * frames + step,
            steps=step * len(lengths) + rank,
        )

    def take(self, states: Tensor) -> Tensor:
        """Take ``(valid, dim)`` out of ``(batch, frames, dim)``."""
        return states.flatten(0, 1).index_select(0, self.frames)

    def put(self, valid: Tensor, states: Tensor) -> Tensor:
        """Put them back, into zeros like ``(batch, frames, dim)``."""
        found = states.new_zeros(states.shape)
        found.flatten(0, 1).index_copy_(0, self.frames, valid)
        return found


class _Direction:
    """One direction over the valid frames: there, and back with the gradients.

    Args:
        sizes: Of the packing.
        out: ``(1 + frames + 1, batch, units)``, zeros, in the order of the packing.
            The run fills it, where there is a frame.
        backwards: Whether it starts at the last frame.

    Attributes:
        gates: ``(valid, 3 * units)``: r, z and n. After the way back, the gradients of
            what goes into their sigmoids and tanh.
        hidden: ``(valid, units)``: the state's part of n, before it is multiplied by r.
            After the way back, its gradient.
    """

    gates: Tensor
    hidden: Tensor

    def __init__(self, sizes: list[int], out: Tensor, *, backwards: bool) -> None:
        self.sizes = sizes
        self.backwards = backwards
        self.after = out[1:-1]
        self.before = out[2:] if backwards else out[:-2]

    def run(self, valid: Tensor, weights: _Weights) -> None:
        """Run over ``(valid, dim)``.

        As in `torch.nn.GRU`: ``r, z = sigmoid(W x + b + U h + c)``,
        ``n = tanh(W x + b + r (U h + c))`` and then ``h = n + z (h - n)``.
        """
        w_ih, w_hh, b_ih, b_hh = weights
        cuts, batch = [2 * weights.units, weights.units], self.sizes[0]
        self.gates = _product(valid, w_ih.t(), valid.dtype, b_ih)
        self.hidden = self.gates.new_empty(len(valid), weights.units)
        inner = PackedWeight(w_hh.t(), b_hh, rows=batch)
        for rz, n, hidden, before, after in self._steps(self.after):
            of_rz, of_n = inner(before).split(cuts, dim=1)
            r, z = rz.add_(of_rz).sigmoid_().chunk(2, dim=1)
            n.addcmul_(r, hidden.copy_(of_n)).tanh_()
            torch.lerp(n, before, z, out=after)

    def run_back(self, above: Tensor, w_hh: Tensor) -> None:
        """Turn what was kept into gradients.

        Args:
            above: ``(frames, batch, units)``, the gradient of the output.
            w_hh: ``(3 * units, units)``.
        """
        units, inner = w_hh.shape[1], PackedWeight(w_hh, rows=self.sizes[0])
        ahead, kept = torch.zeros_like(above[0]), torch.empty_like(above[0])
        both = above.new_empty(len(kept), 3 * units)
        for rz, n, hidden, before, given in self._steps(above, back=True):
            size = len(n)
            grad, to_state, to_inner = ahead[:size], kept[:size], both[:size]
            r, z = rz.chunk(2, dim=1)
            to_r, to_z, _ = to_inner.chunk(3, dim=1)
            grad += given
            torch.mul(torch.sub(before, n, out=to_state), grad, out=to_z)
            torch.mul(grad, z, out=to_state)
            _tanh_backward(grad.sub_(to_state), n, grad_input=n)
            torch.mul(n, hidden, out=to_r)
            torch.mul(n, r, out=hidden)
            _sigmoid_backward(to_inner[:, : 2 * units], rz, grad_input=rz)
            torch.cat([rz, hidden], dim=1, out=to_inner)
            torch.add(to_state, inner(to_inner), out=grad)

    def gradients(self, valid: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        """Give those of the weights, in torch's order, after the way back."""
        before = self.before.flatten(0, 1).index_select(0, steps)
        to_rz = self.gates[:, : -self.hidden.shape[1]]
        of_hidden = [multiply(one.t(), before) for one in (to_rz, self.hidden)]
        b_ih = self.gates.sum(dim=0)
        b_hh = torch.cat([b_ih[: to_rz.shape[1]], self.hidden.sum(dim=0)])
        of_input = _product(self.gates.t(), valid, valid.dtype)
        return of_input, torch.cat(of_hidden), b_ih, b_hh

    def _steps(self, last: Tensor, *, back: bool = False) -> Iterable[list[Tensor]]:
        """Give rz, n, hidden, the state before, and one more, step by step.

        Args:
            last: ``(frames, batch, units)``, what to give last.
            back: Whether against the direction.
        """
        units = self.hidden.shape[1]
        rz, n = self.gates.split([2 * units, units], dim=1)
        kept = [one.split(self.sizes) for one in (rz, n, self.hidden)]
        placed = [
            [step[:size] for step, size in zip(one, self.sizes, strict=False)]
            for one in (self.before, last)
        ]
        steps = [list(one) for one in zip(*kept, *placed, strict=True)]
        return reversed(steps) if self.backwards != back else steps


def type_of_products(states: Tensor) -> torch.dtype:
    """Give the type that products over all frames have, which autocast may set."""
    if torch.is_autocast_enabled(kind := states.device.type):
        return torch.get_autocast_dtype(kind)
    return states.dtype


def _product(
    one: Tensor, other: Tensor, dtype: torch.dtype, bias: Tensor | None = None
) -> Tensor:
    """Multiply matrices in a type, and give the result in the finer of their own."""
    finer = torch.promote_types(one.dtype, other.dtype)
    if dtype == finer:
        return multiply(one, other, bias)
    found = (one.to(dtype) @ other.to(dtype)).to(finer)
    return found if bias is None else found.add_(bias)
