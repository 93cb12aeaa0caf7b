"""Run the code of a plugin in several threads, each of which computes alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from nserbench.benchmark.plugins.own_state import copies_end, own_state
from nserbench.interrupts import OWN_THREADS, by_user
from nserbench.matmul import compute_threads

_AHEAD = 2  # items begun before they are asked for, for each thread

Item = TypeVar("Item")
Value = TypeVar("Value")


@contextmanager
def side_by_side(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    at_once: int,
    each: int = 1,
) -> Iterator[Iterator[Callable[[], Value]]]:
    """Call a function on items in several threads, as long as the block runs.

    Threads that do not wait for each other after each product use the cores better
    than one model that computes in all of them, above all beside other programs. At the
    end the calls that have begun are waited for, unless the user interrupts.

    Args:
        function: The code of a plugin; several threads may call it at once.
        items: Its arguments.
        at_once: Number of threads.
        each: Number of threads in which torch computes in each of them.

    Returns:
        For each item, in order, what waits for its call, and returns its value or
        raises its error. (An iterator must not raise it: `StopIteration` ends loops.)
    """

    def call(item: Item) -> Value:
        with copies_end():
            return function(item)

    with own_state(), compute_threads(each), _pool(at_once, each) as pool:
        yield _results(pool, call, items, _AHEAD * at_once)


def _results(
    pool: ThreadPoolExecutor,
    call: Callable[[Item], Value],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Callable[[], Value]]:
    begun: deque[Future[Value]] = deque()
    for item in items:
        begun.append(pool.submit(call, item))
        if len(begun) > ahead:
            yield begun.popleft().result
    while begun:
        yield begun.popleft().result


@contextmanager
def _pool(at_once: int, each: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool whose threads compute in some threads each."""
    pool = ThreadPoolExecutor(at_once, OWN_THREADS, torch.set_num_threads, (each,))
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=not by_user(error), cancel_futures=True)
        raise
    pool.shutdown(cancel_futures=True)
