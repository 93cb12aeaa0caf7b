"""Matrix products in float32 on a CPU, by the faster of two libraries.

torch multiplies with the library that it was built with, which is MKL on x86. On many
AMD CPUs oneDNN is faster, on Intel CPUs often MKL. torch has no setting for this, so
the oneDNN operators of its compiler are called directly where a trial has shown that
they are faster (`nserbench.matmul_trial`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nserbench.matmul_trial import Product, Way, find_fastest

_fastest: dict[Product, Way] = {}


class PackedWeight:
    """A right factor and a bias: calling it returns ``values @ matrix + bias``.

    Args:
        matrix: The right factor, ``(k, m)``.
        bias: ``(m,)``, added to each row.
        rows: Usual number of rows of the left factors, of which there will be many. For
            oneDNN the matrix is reordered, once.
    """

    def __init__(
        self, matrix: Tensor, bias: Tensor | None = None, *, rows: int
    ) -> None:
        self.weight, self.bias = matrix.t(), bias
        self.way: Way = linear
        if not _has_choice(matrix):
            return
        reorder = torch.ops.mkldnn._reorder_linear_weight
        reordered: Tensor = reorder(self.weight.contiguous(), rows)
        values = matrix.new_ones(rows, len(matrix))
        self.way = _faster(values, self.weight, bias, reordered)
        if self.way is _onednn:
            self.weight = reordered

    def __call__(self, values: Tensor) -> Tensor:
        """Return ``values @ matrix + bias`` for ``(..., k)``, without gradients."""
        return self.way(values, self.weight, self.bias)


def multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``left @ right + bias``, without gradients."""
    weight = right.t()
    way = _faster(left, weight, bias) if _has_choice(right) else linear
    return way(left, weight, bias)


class FastLinear(nn.Linear):
    """A `torch.nn.Linear` that uses the faster library if no gradient is needed."""

    _last: tuple[object, Way] = None, linear
    """The last values' form, and the way for it. To choose anew would take as long as
    the product of a single row, of which a decoder computes many."""

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        own = self._parameters
        computed = "weight" not in own  # anew each time, as in fine-tuning with lora=
        if computed or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return super().forward(values)
        form = values.shape, values.is_contiguous(), torch.get_num_threads()
        last = self._last  # read once: other threads may call this layer, too
        if form != last[0]:
            last = self._last = form, self._choose(values)
        # To find `self.weight` takes as long as a tenth of a single row's product.
        return last[1](values, own["weight"], own["bias"])  # type: ignore[arg-type]

    def _apply(self, *args: Any) -> nn.Module:
        """Move or convert the weights, as `torch.nn.Module` does."""
        self._last = None, linear
        moved: nn.Module = super()._apply(*args)  # type: ignore[no-untyped-call]
        return moved

    def _choose(self, values: Tensor) -> Way:
        weight = self.weight
        choice = (
            values.is_cpu
            and values.dtype == torch.float32
            and values.shape[-1] == self.in_features  # or torch raises its own error
            and _has_choice(weight)
        )
        return _faster(values, weight, self.bias) if choice else linear


def use_fast_products(model: nn.Module) -> None:
    """Make the linear layers of a model use the faster library on a CPU."""
    for module in model.modules():
        # A layer whose weight is computed anew each time has no parameter of that name.
        if type(module) is nn.Linear and "weight" in module._parameters:
            module.__class__ = FastLinear


@contextmanager
def compute_threads(number: int) -> Iterator[None]:
    """Compute in a number of threads, and restore the number of before afterwards.

    One is best for small products: they take less time than threads need to wait for
    each other, above all where other programs use the cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def has_onednn() -> bool:
    """Return whether this torch has the operators of oneDNN, with the right result.

    They are private to torch, so that another version may change them.
    """
    operators = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available() or not (
        hasattr(operators, "_linear_pointwise")
        and hasattr(operators, "_reorder_linear_weight")
    ):
        return False
    values, weight = torch.linspace(-1, 1, 80), torch.linspace(-1, 1, 128)
    values, weight, bias = values.view(5, 16), weight.view(8, 16), torch.ones(8)
    try:
        reordered = operators._reorder_linear_weight(weight, len(values))
        products = [_onednn(values, factor, bias) for factor in (weight, reordered)]
    except (RuntimeError, TypeError):  # other arguments than today's
        return False
    expected = linear(values, weight, bias)
    return all(torch.allclose(product, expected) for product in products)


def _has_choice(weight: Tensor) -> bool:
    return weight.is_cpu and weight.dtype == torch.float32 and has_onednn()


def _onednn(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise.default(
        values, weight, bias, "none", [], ""
    )
    return product


WAYS: dict[str, Way] = {"onednn": _onednn, "torch": linear}


def _faster(
    values: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    reordered: Tensor | None = None,
) -> Way:
    """Return the faster way for factors of this size; a size is tried once."""
    if not values.numel():
        return linear
    product = Product.of(values, weight, reordered=reordered is not None)
    way = _fastest.get(product)
    if way is None:
        factor = weight if reordered is None else reordered
        calls = {
            "onednn": lambda left: _onednn(left, factor, bias),
            "torch": lambda left: linear(left, weight, bias),
        }
        way = WAYS[find_fastest(product, calls, values)]
        _fastest[product] = way
    return way
