"""Read the next batch of frames while the one before it is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch import Tensor

from nserbench.benchmark.training.freed_memory import freed_memory_returned
from nserbench.benchmark.training.sources import Buffers, FeatureSource, FrameSource
from nserbench.upstreams.base import LayeredFeatures

T = TypeVar("T")
R = TypeVar("R")


def ahead(read: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield the result of reading each item; a thread reads one item ahead.

    Args:
        items: The items, at least one.
    """
    with ThreadPoolExecutor(1, "prefetch") as thread:
        coming = thread.submit(read, items[0])
        for later in items[1:]:
            result, coming = coming.result(), thread.submit(read, later)
            yield result
        yield coming.result()


class Prefetch:
    """Batches of a source: frames are read in a thread, one batch ahead.

    The thread ends with the ``with`` statement, also after an error. Means over time
    are in memory, and need no thread.
    """

    def __init__(self, source: FeatureSource) -> None:
        self._source = source
        self._thread = ThreadPoolExecutor(1, "prefetch")
        # One is read into while the other is in use.
        self._buffers = Buffers(), Buffers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def batches(
        self, batches: Sequence[Tensor]
    ) -> Iterator[tuple[Tensor, LayeredFeatures]]:
        """Yield batches with their features, in order.

        Args:
            batches: ``(n,)`` rows of each batch; at least one batch.

        Yields:
            The rows and their features, which are valid until the next batch.
        """
        if isinstance(self._source, FrameSource):
            yield from self._ahead(self._source, batches)
        else:
            yield from ((rows, self._source.batch(rows)) for rows in batches)

    def _ahead(
        self, source: FrameSource, batches: Sequence[Tensor]
    ) -> Iterator[tuple[Tensor, LayeredFeatures]]:
        self._take_one_core()

        def read(number: int) -> Future[LayeredFeatures]:
            into = self._buffers[number % 2]
            return self._thread.submit(source.batch, batches[number], into)

        coming = read(0)
        with freed_memory_returned():
            for number, rows in enumerate(batches):
                features = coming.result()
                if number + 1 < len(batches):
                    coming = read(number + 1)
                yield rows, features

    def _take_one_core(self) -> None:
        threads = torch.get_num_threads()
        self._thread.submit(torch.set_num_threads, 1).result()
        # The number set by one thread also applies to threads that start later.
        torch.set_num_threads(threads)
