"""Load the weights of a file of ``torch.save`` into a model of our own."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.loading.plain_pickles import IgnoredObject
from nserbench.upstreams.loading.torch_files import torch_file


def read_torch_weights(
    file: Path, *, keep: Sequence[str], ignored: Sequence[str] = ()
) -> Mapping[str, Tensor]:
    """Return the tensors that a file holds under ``model``, by name.

    No code that the file names is run.

    Args:
        keep: Parts of the file that a user has to keep who removes the others.
        ignored: Classes of objects that may be in the file and are not needed.

    Raises:
        CheckpointMissing: if the file cannot be read, or holds no weights.
        BadSpec: if it holds other objects than plain data.
    """
    with torch_file(file), safe_globals([(IgnoredObject, name) for name in ignored]):
        try:
            content = torch.load(file, "cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError:
            _refuse_unsafe(file, keep)
            raise
    weights = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping):
        raise CheckpointMissing(f"{file} holds no weights of a model")
    for name, tensor in weights.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointMissing(f"{file} holds weights that are no tensors")
    return weights


def _refuse_unsafe(file: Path, keep: Sequence[str]) -> None:
    """Refuse a file that names objects besides plain data."""
    if unsafe := sorted(get_unsafe_globals_in_checkpoint(file)):
        kept = ", ".join(f"{part!r}: old[{part!r}]" for part in keep)
        raise BadSpec(
            f"{file} holds objects that could run code: {', '.join(unsafe)}\n"
            "  if you trust it, keep the rest, where its packages are installed:\n"
            f"  old = torch.load({file.name!r}, weights_only=False)\n"
            f"  torch.save({{{kept}}}, 'clean.pt')"
        )


def fill(model: nn.Module, weights: Mapping[str, Tensor], file: Path) -> None:
    """Copy weights into a model; those that it has no place for are not read.

    Raises:
        CheckpointMissing: if some are missing.
        BadSpec: if one has another shape.
    """
    expected = model.state_dict()
    if missing := sorted(expected.keys() - weights.keys()):
        raise CheckpointMissing(
            f"the weights in {file} are incomplete\n"
            f"  {len(missing)} tensors are missing, such as {missing[0]}"
        )
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            raise BadSpec(
                f"{file} contradicts itself: {name} has shape "
                f"{tuple(weights[name].shape)}, its configuration says "
                f"{tuple(tensor.shape)}"
            )
    model.load_state_dict({name: weights[name] for name in expected})
