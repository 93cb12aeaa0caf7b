"""Weights that were tuned: kept apart from the checkpoint that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nserbench.benchmark.store.shards import write_whole
from nserbench.errors import StoreDamaged
from nserbench.upstreams.base import is_inside


def set_train_mode(model: nn.Module, frozen: Sequence[str]) -> None:
    """Put a model in training mode, but for the modules that stay as they are.

    Those are in evaluation mode, and take no gradient.
    """
    model.train()
    for name, module in model.named_modules():
        if is_inside(name, frozen):
            module.eval()
    for name, weights in model.named_parameters():
        if is_inside(name, frozen):
            weights.requires_grad_(False)


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """Give the weights that are trained, each once, by name."""
    return {name: one for name, one in model.named_parameters() if one.requires_grad}


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Give all that training changes: weights, and running means such as batch norm's.

    The tensors are those of the model, so that copying into them loads them.
    """
    kept = model.state_dict().keys()
    buffers = {name: one for name, one in model.named_buffers() if name in kept}
    return {**trainable(model), **buffers}


def copy_into(state: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    """Copy tensors into those of the same names.

    Raises:
        KeyError: if one of them is not there.
    """
    with torch.no_grad():
        for name, value in state.items():
            into[name].copy_(value)


def save_tuned(file: Path, model: nn.Module, seconds: float) -> None:
    """Keep what a tuning changed.

    Args:
        file: Where to.
        model: That was tuned.
        seconds: That it took.
    """
    state = {
        name: one.detach().contiguous() for name, one in trainable_state(model).items()
    }
    count = sum(one.numel() for one in trainable(model).values())
    facts = {"parameters": str(count), "seconds": f"{seconds:.3f}"}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, save(state, facts))


def load_tuned(file: Path, model: nn.Module) -> None:
    """Put tuned weights into a model that was loaded as it came.

    Raises:
        StoreDamaged: if they cannot be read, or are of another model.
    """
    into = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    try:
        copy_into(load_file(file), into)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise StoreDamaged(
            f"the tuned weights in {file} cannot be used: {error}\n"
            "  delete the file and run the same command again: only it is made anew"
        ) from error


def tuned_facts(file: Path) -> tuple[int, float]:
    """Give how many weights were trained, and the seconds it took.

    Raises:
        StoreDamaged: if the file cannot be read.
    """
    try:
        with safe_open(file, framework="pt") as stored:
            facts = stored.metadata()
    except (OSError, SafetensorError) as error:
        raise StoreDamaged(f"{file} cannot be read: delete it") from error
    return int(facts["parameters"]), float(facts["seconds"])
