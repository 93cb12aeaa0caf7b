"""Record the layers of an encoder while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def recorded_layers(
    encoder: nn.Module, blocks: str, norm: str
) -> Iterator[list[Tensor]]:
    """Record the layers of each run of an encoder in the block.

    The first is the input of the first block, the others are the outputs of the blocks.
    The last is normalised, if a norm reads the output of the last block directly: a
    norm after the time axis was shortened does not count.

    Args:
        encoder: An encoder of transformers.
        blocks: Name of its list of blocks.
        norm: Name of its last norm; empty if it has none.

    Returns:
        The layers, ``(batch, frames, dim)`` each, when the encoder has run.
    """
    layers: list[Tensor] = []

    def enter(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        layers.append(args[0] if args else named["hidden_states"])

    def leave(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        layers.append(output[0] if isinstance(output, tuple) else output)

    def normalise(_: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if layers and args[0] is layers[-1]:
            layers[-1] = output

    listed = list(encoder.get_submodule(blocks).children())
    hooks = [block.register_forward_hook(leave) for block in listed]
    hooks.append(listed[0].register_forward_pre_hook(enter, with_kwargs=True))
    if norm:
        hooks.append(encoder.get_submodule(norm).register_forward_hook(normalise))
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()
