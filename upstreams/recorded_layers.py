"""Record the layers of a stack of blocks while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any

from torch import Tensor, nn


class LayerRecorder:
    """Records the layers of each run of a stack of blocks, in each thread separately.

    The first is the input of the first block, the others are the outputs of the blocks.
    The last is normalised, if a norm reads the output of the last block directly: a
    norm after the time axis was shortened does not count.

    The hooks stay on the blocks: to add and remove them for each run would disturb runs
    in other threads.

    Args:
        blocks: The blocks, in order.
        norm: Their last norm; None if there is none.
    """

    def __init__(self, blocks: Sequence[nn.Module], norm: nn.Module | None) -> None:
        self._local = local()
        blocks[0].register_forward_pre_hook(self._enter, with_kwargs=True)
        for block in blocks:
            block.register_forward_hook(self._leave)
        if norm is not None:
            norm.register_forward_hook(self._normalise)

    @contextmanager
    def recording(self) -> Iterator[list[Tensor]]:
        """Record the runs of this thread inside the ``with`` block.

        Returns:
            The layers, ``(batch, frames, dim)`` each, once the blocks have run.
        """
        self._local.layers = layers = list[Tensor]()
        try:
            yield layers
        finally:
            self._local.layers = None

    @property
    def _layers(self) -> list[Tensor] | None:
        """The list of this thread; None outside of `recording`."""
        layers: list[Tensor] | None = getattr(self._local, "layers", None)
        return layers

    def _enter(
        self, _: nn.Module, args: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        if (layers := self._layers) is not None:
            layers.append(args[0] if args else named["hidden_states"])

    def _leave(self, _: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if (layers := self._layers) is not None:
            layers.append(output[0] if isinstance(output, tuple) else output)

    def _normalise(self, _: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if (layers := self._layers) and args[0] is layers[-1]:
            layers[-1] = output
