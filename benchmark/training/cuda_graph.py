"""Record a training step as a CUDA graph, and replay it.

On a GPU, the step of a stack of small heads launches about a hundred tiny kernels. A
CUDA graph launches them all at once. A step can be recorded if its tensors always have
the same shapes, it copies nothing from the device, and it changes weights in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

Step: TypeAlias = Callable[..., Sequence[Tensor]]
"""A function from tensors to tensors."""

Recorded: TypeAlias = tuple[Callable[[], None], Sequence[Tensor]]
"""A function that replays a recording, and the tensors with the results of a replay."""

WARM_UP = 3
"""Steps before one is recorded, as CUDA graphs need."""


class GraphRecorder(Protocol):
    """Records steps on a device."""

    def warm(self, function: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Call a function as it will be recorded."""

    def record(self, function: Callable[[], Sequence[Tensor]]) -> Recorded:
        """Record a function without running it."""


class RecordedStep:
    """A step that is recorded after a few calls, and then replayed.

    Args:
        recorder: Records the step; None to call it every time.
    """

    def __init__(self, step: Step, recorder: GraphRecorder | None) -> None:
        self._step, self._recorder = step, recorder
        self._calls = 0
        self._inputs: Sequence[Tensor] = ()
        self._recorded: Recorded | None = None

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        """Take the step once."""
        if self._recorder is None:
            return self._step(*inputs)
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._recorder.warm(lambda: self._step(*inputs))
        if self._recorded is None:
            self._inputs = [value.clone() for value in inputs]
            self._recorded = self._recorder.record(lambda: self._step(*self._inputs))
        for recorded, value in zip(self._inputs, inputs, strict=True):
            recorded.copy_(value)
        replay, outputs = self._recorded
        replay()
        return [value.clone() for value in outputs]


class CudaGraphs:
    """Records the kernel launches of a step as a CUDA graph, on a separate stream."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()

    def warm(self, function: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Call a function on the stream, since autograd remembers where it ran."""
        stream, current = self._stream, torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            outputs = function()
        current.wait_stream(stream)
        return outputs

    def record(self, function: Callable[[], Sequence[Tensor]]) -> Recorded:
        """Record the kernel launches of a function."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            outputs = function()
        return graph.replay, outputs


def recorder(device: str) -> GraphRecorder | None:
    """Return the recorder of a device; None if it has none."""
    return CudaGraphs() if device.startswith("cuda") else None
