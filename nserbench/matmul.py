"""Fast multiplication of float32 matrices on a CPU, by oneDNN.

torch multiplies float32 matrices with MKL, which uses only AVX2 on AMD CPUs. oneDNN
uses AVX-512 if the CPU has it, which is about twice as fast. torch has no setting for
this, so the oneDNN operators of its compiler are called directly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ONEDNN = torch.backends.mkldnn.is_available()


class PackedWeight:
    """A right factor and a bias: calling it returns ``values @ matrix + bias``.

    Args:
        matrix: The right factor, ``(k, m)``.
        bias: ``(m,)``, added to each row.
        rows: Usual number of rows of the left factors, if there will be many: the
            matrix is then reordered for oneDNN once.
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

    def __call__(self, values: Tensor) -> Tensor:
        """Return ``values @ matrix + bias`` for ``(..., k)``, without gradients."""
        if self.by_onednn:
            product: Tensor = torch.ops.mkldnn._linear_pointwise.default(
                values, self.matrix, self.bias, "none", [], ""
            )
            return product
        product = values @ self.matrix
        return product if self.bias is None else product.add_(self.bias)


def multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``left @ right + bias``, without gradients."""
    return PackedWeight(right, bias)(left)


class OneDnnLinear(nn.Linear):
    """A `torch.nn.Linear` that uses oneDNN whenever no gradient is needed."""

    def forward(self, values: Tensor) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        plain = values.dtype == self.weight.dtype == torch.float32
        if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or not plain:
            return super().forward(values)
        if values.shape[-1] != self.in_features:
            return super().forward(values)  # raises torch's own error
        return multiply(values, self.weight.t(), self.bias)


def use_onednn(model: nn.Module) -> None:
    """Make the linear layers of a model use oneDNN on a CPU."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDnnLinear
