"""Upstreams from any module that returns its hidden states, as S3PRL's do."""

from __future__ import annotations

import abc
import copy
import functools
import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from nserbench.cards import Options
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 5
"""Frames by which a model may miss the length of a clip, at its ends; as in S3PRL."""


class HiddenStates(Upstream):
    """The hidden states of a module, as the group ``hidden``.

    Clips run one by one, since most modules return other states for a padded clip.

    Attributes:
        stride: Samples between two frames.
        weights_digest: Returns what identifies the weights, where the source file of
            the plugin does not: they come from a module that is already there.
        padded: Whether the module takes a tensor ``(1, samples)``, not a list of waves.

    Raises:
        ValueError: if the module returns no states, they differ in frames or width, or
            their number does not fit the length of the clip and the stride.
    """

    stride: ClassVar[int]
    padded: ClassVar[bool]
    weights_digest: ClassVar[Callable[[], str] | None] = None

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self.rate = SAMPLE_RATE / self.stride
        self.model: nn.Module = self.fresh().eval().to(device)

    @abc.abstractmethod
    def fresh(self) -> nn.Module:
        """Return the module with its initial weights, on the CPU."""

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``hidden``."""
        waves = batch.tensors(self.device)
        return {"hidden": LayerGroup.pad([self._states(wave) for wave in waves])}

    def _states(self, wave: Tensor) -> Tensor:
        """Return the states of one wave, ``(layers, frames, dim)``."""
        states = stacked(_states_in(self.model(wave[None] if self.padded else [wave])))
        frames, wanted = states.shape[1], math.ceil(len(wave) / self.stride)
        if abs(frames - wanted) > TOLERANCE:
            raise ValueError(
                f"the hidden states have {frames} frames for {len(wave)} samples\n"
                f"  stride={self.stride} means about {wanted}: correct the stride"
            )
        return states[:, :wanted]


def from_hidden_states(
    model: nn.Module | Callable[[Options], nn.Module],
    stride: int,
    *,
    padded: bool = False,
) -> type[Upstream]:
    """Return the `Upstream` of a module that returns ``{"hidden_states": [...]}``.

    Each state is ``(batch, frames, dim)``. State 0 enters the first block, state ``l``
    leaves block ``l``; a single state is layer 1.

    Args:
        model: A function from the card's options to the module, called each time the
            upstream is loaded, with torch's seed at 0. Or the module itself: it is
            copied now, and its weights identify its features.
        stride: Samples at 16 kHz between two frames, such as 320.
        padded: Whether the module's ``forward`` takes a tensor ``(batch, samples)``
            instead of a list of ``(samples,)``.
    """
    torch = sys.modules.get("torch")  # a module is there only if torch is
    kept = (
        copy.deepcopy(model) if torch and isinstance(model, torch.nn.Module) else None
    )

    class FromHiddenStates(HiddenStates):
        def fresh(self) -> nn.Module:
            return _loaded(model, self.options) if kept is None else copy.deepcopy(kept)

    if kept is not None:
        FromHiddenStates.weights_digest = functools.cache(partial(_digest, kept))
    FromHiddenStates.stride, FromHiddenStates.padded = stride, padded
    # As for a namedtuple: its code is the module that called this function.
    FromHiddenStates.__module__ = sys._getframe(1).f_globals["__name__"]
    FromHiddenStates.__qualname__ = f"from_hidden_states:{stride}"
    return FromHiddenStates


def stacked(states: Sequence[Tensor]) -> Tensor:
    """Return the states of one clip as ``(layers, frames, dim)``.

    Args:
        states: ``(1, frames, dim)`` of each layer.

    Raises:
        ValueError: if they have other shapes, or differ in frames or width.
    """
    import torch

    shapes = {tuple(state.shape) for state in states}
    if len(shapes) != 1 or (shape := shapes.pop())[:1] != (1,) or len(shape) != 3:
        raise ValueError(
            "all hidden states of a clip must have one shape (1, frames, dim), "
            f"got {sorted(tuple(state.shape) for state in states)}"
        )
    return torch.stack([state[0] for state in states])


def _states_in(returned: object) -> Sequence[Tensor]:
    """Return the hidden states that a module returned.

    Raises:
        ValueError: if there are none.
    """
    had = type(returned).__name__
    if isinstance(returned, Mapping):
        there = [str(key) for key, value in returned.items() if value is not None]
        if "hidden_states" in there:
            return tuple(returned["hidden_states"])
        had = f"{had} with {', '.join(there) or 'nothing'}"
    raise ValueError(
        f"the module returns no 'hidden_states', but a {had}\n"
        "  a model of transformers needs output_hidden_states=True in its configuration"
    )


def _loaded(load: Callable[[Options], nn.Module], options: Options) -> nn.Module:
    """Return a module whose random weights are the same each time."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load(options)


def _digest(module: nn.Module) -> str:
    """Return the digest of all weights and buffers of a module."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, value in module.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
