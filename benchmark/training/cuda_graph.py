"""A training step that a GPU records once and then plays again.

On a GPU the step of a stack of small heads is a hundred launches of next to no work. A
CUDA graph launches them all at once. A step can be recorded where it always has tensors
of the same shapes, reads nothing from the device, and changes its weights in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

Step: TypeAlias = Callable[..., Sequence[Tensor]]
"""Takes tensors, and gives tensors."""

Recorded: TypeAlias = tuple[Callable[[], None], Sequence[Tensor]]
"""What plays a recording, and where each playing leaves what it gives."""

WARM = 3
"""Steps that are taken before one is recorded, as CUDA graphs ask for."""


class GraphRecorder(Protocol):
    """Records steps on some device."""

    def warm(self, function: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Call a function where it will be recorded."""

    def record(self, function: Callable[[], Sequence[Tensor]]) -> Recorded:
        """Record what a function does, without doing it."""


class RecordedStep:
    """A step that is recorded after a few calls, and then played.

    Args:
        step: The step.
        recorder: Who records it; None to call it every time.
    """

    def __init__(self, step: Step, recorder: GraphRecorder | None) -> None:
        self._step, self._recorder = step, recorder
        self._calls = 0
        self._given: Sequence[Tensor] = ()
        self._recorded: Recorded | None = None

    def __call__(self, *given: Tensor) -> Sequence[Tensor]:
        """Take the step once."""
        if self._recorder is None:
            return self._step(*given)
        self._calls += 1
        if self._calls <= WARM:
            return self._recorder.warm(lambda: self._step(*given))
        if self._recorded is None:
            self._given = [one.clone() for one in given]
            self._recorded = self._recorder.record(lambda: self._step(*self._given))
        for held, one in zip(self._given, given, strict=True):
            held.copy_(one)
        play, found = self._recorded
        play()
        return [one.clone() for one in found]


class CudaGraphs:
    """Records the launches of a step as a CUDA graph, on a stream of its own."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()

    def warm(self, function: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Call a function on the stream, since autograd remembers where it ran."""
        own, other = self._stream, torch.cuda.current_stream()
        own.wait_stream(other)
        with torch.cuda.stream(own):
            found = function()
        other.wait_stream(own)
        return found

    def record(self, function: Callable[[], Sequence[Tensor]]) -> Recorded:
        """Record what a function launches."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            found = function()
        return graph.replay, found


def recorder(device: str) -> GraphRecorder | None:
    """Give who records steps on a device; None where nobody does."""
    return CudaGraphs() if device.startswith("cuda") else None
