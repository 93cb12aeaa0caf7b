"""What is known of an upstream before its model is loaded: its groups of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """The layers, width and frame rate of a group, known before a model is loaded.

    Attributes:
        layers: Layer numbers. ``range(0, 13)`` for a module of 12 blocks: 0 is the
            input of block 1, ``l`` is the output of block ``l``. A group of one layer
            without blocks, such as a spectrogram, has ``range(1, 2)``.
        dim: Width of every layer.
        rate: Frames per second; None if it is not known, or if there is none.
        in_time: Whether frames follow the audio in time. Tokens of a transcript and
            functionals of a whole clip do not. If not given: whether there is a rate.
    """

    layers: range
    dim: int
    rate: float | None
    in_time: bool | None = None

    @property
    def has_time_axis(self) -> bool:
        """Whether frames follow the audio in time, at a known rate or not."""
        return self.rate is not None if self.in_time is None else self.in_time

    @property
    def blocks(self) -> range:
        """The layers that are outputs of blocks: all but layer 0."""
        return range(max(1, self.layers.start), self.layers.stop)


Groups: TypeAlias = Mapping[str, GroupSpec]
"""The groups of an upstream by name, such as ``encoder`` and ``decoder``."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about an upstream and its options before the model is loaded.

    Attributes:
        groups: Its groups.
        transcribes: Whether it is a `Transcriber`.
        tunable: Whether it can be fine-tuned.
        frozen: Modules that fine-tuning does not change; see `UpstreamCard.frozen`.
    """

    groups: Groups
    transcribes: bool
    tunable: bool
    frozen: Sequence[str]
