"""Which models several threads may run at once."""

from __future__ import annotations

from typing import Protocol


class HasThreadSafe(Protocol):
    """An upstream or an enhancer."""

    thread_safe: bool


def is_thread_safe(model: HasThreadSafe) -> bool:
    """Return whether the class of an upstream or enhancer says that it is thread-safe.

    What a class has from another one does not count: it may add something that one call
    changes and another reads.
    """
    return "thread_safe" in vars(type(model)) and bool(model.thread_safe)
