"""Save and load fine-tuned weights, apart from the checkpoint they started from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from nserbench.benchmark.extraction.low_rank import merged, update_bytes
from nserbench.benchmark.store.weights_files import (
    read_weights,
    weights_facts,
    write_weights,
)
from nserbench.errors import StoreDamaged
from nserbench.plain_data import number, whole_number
from nserbench.upstreams.base import is_inside


def set_train_mode(model: nn.Module, frozen: Sequence[str]) -> None:
    """Set a model to training mode, except for its frozen modules.

    Frozen modules are in evaluation mode and have no gradient.
    """
    model.train()
    for name, module in model.named_modules():
        if is_inside(name, frozen):
            module.eval()
    for name, weights in model.named_parameters():
        if is_inside(name, frozen):
            weights.requires_grad_(False)


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that are trained, each once, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Return all tensors that training changes, such as weights and batch-norm means.

    They are the tensors of the model itself: copying into them changes the model.
    """
    saved = model.state_dict().keys()
    buffers = {name: b for name, b in model.named_buffers() if name in saved}
    return {**trainable(model), **buffers}


def tuned_bytes(
    model: nn.Module, frozen: Sequence[str], lora: int | None = None
) -> int:
    """Return the bytes of the weights that `save_tuned` will save.

    Args:
        lora: Rank of the updates that are trained in place of the weights; None if the
            weights are.
    """
    saved = model.state_dict().keys()
    buffers = sum(b.nbytes for name, b in model.named_buffers() if name in saved)
    if lora is not None:
        return buffers + update_bytes(model, frozen, lora)
    weights = model.named_parameters()
    return buffers + sum(p.nbytes for name, p in weights if not is_inside(name, frozen))


def copy_into(state: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    """Copy tensors into those of the same names.

    Raises:
        KeyError: if a name is missing in ``into``.
    """
    with torch.no_grad():
        for name, value in state.items():
            into[name].copy_(value)


def save_tuned(file: Path, model: nn.Module, seconds: float, seed: int) -> None:
    """Save the weights that fine-tuning changed.

    Args:
        seconds: Time that fine-tuning took.
        seed: Seed of torch with which the upstream was opened.
    """
    state = {
        name: tensor.detach().contiguous()
        for name, tensor in trainable_state(model).items()
    }
    count = sum(weights.numel() for weights in trainable(model).values())
    facts = {
        "parameters": str(count),
        "seconds": f"{seconds:.3f}",
        "seed": str(seed),
    }
    write_weights(file, state, facts)


@contextmanager
def drawn_as_before(file: Path) -> Iterator[None]:
    """Seed torch as it was when the upstream was opened to be fine-tuned.

    Random values that are not saved, such as those of a frozen module, are then the
    same. Files of versions without always-trained upstreams have no seed.

    Raises:
        StoreDamaged: if the file cannot be read, or its seed is no number.
    """
    if (seed := weights_facts(file).get("seed")) is None:
        yield
        return
    try:
        value = whole_number(seed)
    except ValueError as error:
        raise StoreDamaged(f"{file} has no such seed: {seed}") from error
    with torch.random.fork_rng():
        torch.manual_seed(value)
        yield


def load_tuned(file: Path, model: nn.Module) -> None:
    """Load fine-tuned weights into a model that has been loaded from its checkpoint.

    Low-rank updates are added to the weights, as in training.

    Raises:
        StoreDamaged: if the file has changed since it was written, or holds the weights
            of another model.
    """
    into = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    state = merged(read_weights(file)[0], into)
    for name, value in state.items():
        if name not in into or into[name].shape != value.shape:
            raise StoreDamaged(f"{file} holds weights of another model: {name}")
    copy_into(state, into)


def tuned_facts(file: Path) -> tuple[int, float]:
    """Return the number of trained weights, and the seconds of fine-tuning.

    Raises:
        StoreDamaged: if the file cannot be read, or does not say so.
    """
    facts = weights_facts(file)
    try:
        return whole_number(facts["parameters"]), number(facts["seconds"])
    except (KeyError, ValueError) as error:
        raise StoreDamaged(f"{file} does not say what fine-tuning took") from error
