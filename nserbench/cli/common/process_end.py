"""End the process although the code of a plugin goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from nserbench.interrupts import OWN_THREADS

PATIENCE = 3.0
"""Seconds that the code of a plugin may go on after Ctrl-C, or a thread at the end."""
_STUCK = (
    f"the code of a plugin did not end within {PATIENCE:.0f} s, "
    "so the process was ended"
)
_INTERRUPTED = 128 + signal.SIGINT


def end_if_stuck() -> None:
    """From now on, end the process if a plugin's code goes on for long after Ctrl-C.

    Python raises `KeyboardInterrupt` in the main thread, which does not help where the
    code waits inside a library written in C, or catches the error. Files of the store
    and the results are written whole or not at all, so nothing is lost.
    """
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    # The interpreter writes the number of each signal, whatever the main thread does.
    signal.set_wakeup_fd(writes.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reads,), daemon=True).start()


def _watch(signals: socket.socket) -> None:
    from nserbench.benchmark.plugins.own_state import is_running
    from nserbench.cli.common.again import command_line, stopped

    while received := signals.recv(1):
        if received[0] == signal.SIGINT:
            time.sleep(PATIENCE)
            if is_running():
                _tell(f"{stopped(command_line(sys.argv[1:]))}\n  {_STUCK}\n")
                os._exit(_INTERRUPTED)


@contextlib.contextmanager
def end_with_threads() -> Iterator[None]:
    """End the process with the command, even if a plugin's thread goes on."""
    try:
        yield
    except SystemExit as ended:
        lasting = _lasting_threads()
        others = [name for name in lasting if not name.startswith(OWN_THREADS)]
        if names := ", ".join(others):
            _tell(f"warning: a plugin started threads that have not ended: {names}\n")
        if lasting:
            os._exit(ended.code if isinstance(ended.code, int) else 0)
        raise


def _lasting_threads() -> list[str]:
    """Return the names of threads that would keep the process alive."""
    until = time.monotonic() + PATIENCE
    here = threading.current_thread()
    threads = [t for t in threading.enumerate() if t is not here and not t.daemon]
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


def _tell(text: str) -> None:
    """Print a message after all that was printed before; the process ends next."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, text.encode())
