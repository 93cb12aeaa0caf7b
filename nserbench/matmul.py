"""Products of float32 matrices on a processor, at the rate that it has.

torch multiplies float32 matrices by MKL, which keeps to AVX2 on AMD's processors.
oneDNN, by which torch multiplies bfloat16, takes AVX-512 wherever it is: twice the rate
there. torch has no setting for it, but its compiler has an operator that is nothing
else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ONEDNN = torch.backends.mkldnn.is_available()


class PackedWeight:
    """What matrices are multiplied by, and what is added to the product.

    Args:
        matrix: ``(k, m)``.
        bias: ``(m,)``, added to each row.
        rows: Of the matrices to come, if they are many: then it is laid out for oneDNN
            once.
    """

    def __init__(
        self, matrix: Tensor, bias: Tensor | None = None, rows: int | None = None
    ) -> None:
        self.matrix, self.bias = matrix, bias
        self.by_onednn = ONEDNN and matrix.is_cpu and matrix.dtype == torch.float32
        if self.by_onednn:
            self.matrix = matrix.t()
            if rows is not None:
                self.matrix = torch.ops.mkldnn._reorder_linear_weight(
                    self.matrix.contiguous(), rows
                )

    def __call__(self, one: Tensor) -> Tensor:
        """Give ``one @ matrix + bias``, of ``(..., k)``; no gradient passes."""
        if self.by_onednn:
            found: Tensor = torch.ops.mkldnn._linear_pointwise.default(
                one, self.matrix, self.bias, "none", [], ""
            )
            return found
        found = one @ self.matrix
        return found if self.bias is None else found.add_(self.bias)


def multiply(one: Tensor, other: Tensor, bias: Tensor | None = None) -> Tensor:
    """Give ``one @ other + bias``; no gradient passes."""
    return PackedWeight(other, bias)(one)


class OneDnnLinear(nn.Linear):
    """`torch.nn.Linear` by a `PackedWeight`, wherever no gradient is asked for."""

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        plain = values.dtype == self.weight.dtype == torch.float32
        if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or not plain:
            return super().forward(values)
        if values.shape[-1] != self.in_features:
            return super().forward(values)  # whose message says so
        return multiply(values, self.weight.t(), self.bias)


def use_onednn(model: nn.Module) -> None:
    """Let the linear layers of a model on a processor multiply at its rate."""
    for part in model.modules():
        if type(part) is nn.Linear:
            part.__class__ = OneDnnLinear
