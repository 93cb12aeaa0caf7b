"""Tell an interruption by the user from one that a plugin raises."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

OWN_THREADS = "nserbench-clips"
"""Beginning of the names of threads that extract clips. Nobody waits for them after an
interruption: what they make is not stored."""
_SIGNALS: list[int] = []
"""The interrupts that arrived while they were watched."""
_WATCHES: list[bool] = []


@contextlib.contextmanager
def watch_interrupts() -> Iterator[None]:
    """Note interrupts (Ctrl-C), which then raise `KeyboardInterrupt` as always.

    Where the process ignores interrupts, as one that a shell started in the background
    does, none can be the user's. Outside the main thread, or where another handler is
    installed, nothing is changed.
    """
    before = signal.getsignal(signal.SIGINT)
    known = before in (signal.default_int_handler, signal.SIG_IGN)
    if not known or threading.current_thread() is not threading.main_thread():
        yield
        return
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _note)
    _SIGNALS.clear()
    _WATCHES.append(True)
    try:
        yield
    finally:
        _WATCHES.pop()
        signal.signal(signal.SIGINT, before)


def interrupted() -> bool:
    """Return whether the user interrupted; True where interrupts are not watched.

    Outside the main thread no signal arrives, so there it was not the user.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    return bool(_SIGNALS) or not _WATCHES


def by_user(error: BaseException) -> bool:
    """Return whether an error is an interruption by the user."""
    return isinstance(error, KeyboardInterrupt) and interrupted()


def _note(number: int, frame: FrameType | None) -> None:
    _SIGNALS.append(number)
    signal.default_int_handler(number, frame)
