"""Run a function over many files at once, and report progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nserbench.progress import Progress

Item = TypeVar("Item")
Value = TypeVar("Value")


def map_in_threads(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    progress: Progress,
    *,
    stage: str,
    unit: str,
) -> list[Value]:
    """Call a function on every item in threads, as one stage of a progress bar.

    Without items there is no stage.

    Args:
        function: Called once for each item, from several threads.
        stage: Name of the stage, such as ``"reading headers"``.
        unit: What the items are, in the plural, such as ``"files"``.

    Returns:
        The values, in the order of the items.
    """
    if not items:
        return []
    progress.stage(stage, len(items), unit)
    values = []
    with ThreadPoolExecutor() as pool:
        for value in pool.map(function, items):
            values.append(value)
            progress.advance()
    return values
