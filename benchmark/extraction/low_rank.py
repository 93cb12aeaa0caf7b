"""Low-rank updates (LoRA; Hu et al., arXiv:2106.09685): two factors for each matrix.

A matrix ``weight`` is kept, and ``weight + up @ down`` is used in its place, wherever
the model reads it. Adapters around linear layers, as in peft, would change nothing in
models that read a weight without calling its layer, as the attention of WavLM does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from nserbench.errors import NserbenchError, StoreDamaged
from nserbench.upstreams.base import is_inside

_LIST = ".parametrizations."
_UP, _DOWN = ".0.up", ".0.down"
_NO_MATRIX = nn.Embedding, nn.EmbeddingBag, nn.RNNBase


class LowRank(nn.Module):
    """A matrix with a low-rank update: ``weight + up @ down``.

    Args:
        weight: ``(outputs, inputs)``.
        rank: Columns of ``up``, rows of ``down``. The factor alpha / rank of LoRA is 1.

    Attributes:
        up: ``(outputs, rank)``, zeros at first: the model begins as it was.
        down: ``(rank, inputs)``, drawn as the authors' code does.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.up = nn.Parameter(weight.new_zeros(outputs, rank))
        # Drawn on the CPU, so that every device begins with the same values.
        down = torch.empty(rank, inputs).uniform_(-(inputs**-0.5), inputs**-0.5)
        self.down = nn.Parameter(down.to(weight))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the matrix that is used in place of ``weight``."""
        return updated(weight, self.up, self.down)


def updated(weight: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """Return ``weight + up @ down``, in float32 under autocast as well."""
    with torch.autocast(weight.device.type, enabled=False):
        return weight + up @ down


def add_low_rank(model: nn.Module, frozen: Sequence[str], rank: int) -> None:
    """Freeze all weights of a model, and add a low-rank update to its matrices.

    Args:
        frozen: Names of modules that get no update.
        rank: Rank of each update.

    Raises:
        NserbenchError: as `update_bytes`.
    """
    matrices = _matrices(model, frozen, rank)
    model.requires_grad_(False)
    for module, name, weight in matrices:
        register_parametrization(module, name, LowRank(weight, rank))


def update_bytes(model: nn.Module, frozen: Sequence[str], rank: int) -> int:
    """Return the bytes of the factors that `add_low_rank` adds.

    Raises:
        NserbenchError: if there is no matrix to update, or the rank is as large as that
            of the largest matrix.
    """
    matrices = _matrices(model, frozen, rank)
    return sum(rank * sum(w.shape) * w.element_size() for _, _, w in matrices)


def merged(state: dict[str, Tensor], weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state in which each pair of factors has become the matrix they update.

    Args:
        state: Tensors by name, with the factors of `add_low_rank`.
        weights: The weights of a model without updates, by name.

    Raises:
        StoreDamaged: if a factor belongs to no matrix of the model.
    """
    whole = dict(state)
    for name in sorted(state):
        if _LIST not in f".{name}" or not name.endswith(_UP):
            continue
        stem = name.removesuffix(_UP)
        matrix = f".{stem}".replace(_LIST, ".").removeprefix(".")
        up, down = whole.pop(name), whole.pop(stem + _DOWN, None)
        weight = weights.get(matrix)
        if weight is None or down is None or weight.shape != (len(up), down.shape[1]):
            raise StoreDamaged(f"low-rank updates of another model: {name}")
        whole[matrix] = updated(weight.detach(), up.to(weight), down.to(weight))
    return whole


def _matrices(
    model: nn.Module, frozen: Sequence[str], rank: int
) -> list[tuple[nn.Module, str, Tensor]]:
    """Return each matrix that gets an update, with its module and its name there."""
    found = list(_eligible(model, frozen))
    if not found:
        raise NserbenchError(
            f"lora={rank} changes nothing: the model has no linear layer that is not "
            "frozen\n  to fine-tune all its weights, leave lora= out"
        )
    most = max(min(weight.shape) for _, _, weight in found)
    if rank >= most:
        raise NserbenchError(
            f"lora={rank} is too large: the rank of the model's largest matrix is "
            f"{most}\n  choose a smaller one, or leave lora= out to train all weights"
        )
    return found


def _eligible(
    model: nn.Module, frozen: Sequence[str]
) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Yield the matrices of linear layers and of attention, outside frozen modules.

    Some attention holds its matrices itself, without linear layers. A matrix that two
    modules share, such as that of an embedding and of the output, is left out.
    """
    users = Counter(
        id(weight)
        for module in model.modules()
        for weight in module.parameters(recurse=False)
    )
    for place, module in model.named_modules():
        if isinstance(module, _NO_MATRIX) or is_inside(place, frozen):
            continue
        for name, weight in module.named_parameters(recurse=False):
            if name.endswith("weight") and weight.ndim == 2 and users[id(weight)] == 1:
                yield module, name, weight
