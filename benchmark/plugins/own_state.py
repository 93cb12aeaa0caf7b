"""Run the code of a plugin so that it leaves the process as it was."""

from __future__ import annotations

import contextlib
import gc
import io
import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE")
    if hasattr(signal, name)
)
_RUNNING: list[bool] = []
"""One entry for each time that the code of a plugin runs now."""

Restore = Callable[[], object]


@contextlib.contextmanager
def own_state() -> Iterator[None]:
    """Restore what belongs to the whole process after a plugin's code.

    These are the working folder, the handlers of signals, standard output, what Python
    does with warnings, the limit of recursion, the locale, numpy's handling of errors,
    and the settings of torch: the next plugin, and relative paths, then do not depend
    on this one. What the code prints goes to standard error, since standard output is
    for the command. If the code started a copy of this process (``os.fork``), the copy
    ends here.
    """
    undo = [save() for save in _SAVED]
    _RUNNING.append(True)
    try:
        with (
            contextlib.chdir(Path.cwd()),
            contextlib.redirect_stdout(_Printed()),
            copies_end(),
        ):
            yield
    finally:
        _RUNNING.pop()
        for restore in reversed(undo):
            restore()


@contextlib.contextmanager
def as_at_start() -> Iterator[None]:
    """Set torch and numpy as in a new process, and restore them afterwards.

    What a user of Python set, such as another default type, would change results
    without a word. The number of threads stays as it is; results record it.
    """
    undo = [save() for save in (_torch, _numpy)]
    torch = sys.modules.get("torch")
    try:
        with contextlib.nullcontext() if torch is None else torch.inference_mode(False):
            for setting in _settings_of_torch().values():
                if setting.default is not None and setting.get() != setting.default:
                    setting.set(setting.default)
            if (numpy := sys.modules.get("numpy")) is not None:
                numpy.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
            yield
    finally:
        for restore in undo:
            restore()


@contextlib.contextmanager
def copies_end() -> Iterator[None]:
    """End a copy of this process that was started here (``os.fork``) at the end."""
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(1)


def is_running() -> bool:
    """Return whether the code of a plugin runs now, in any thread."""
    return bool(_RUNNING)


class _Printed(io.TextIOBase):
    """What a plugin prints, written to standard error; closing it closes nothing."""

    @property
    def buffer(self) -> _PrintedBytes:
        return _PrintedBytes()

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _PrintedBytes(io.RawIOBase):
    """Bytes that a plugin prints; those that are no text are escaped."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        sys.stderr.write(bytes(content).decode("utf-8", "backslashreplace"))
        return len(content)


def _signals() -> Restore:
    if threading.current_thread() is not threading.main_thread():
        return bool  # only the main thread may set handlers
    handlers = [(number, signal.getsignal(number)) for number in _SIGNALS]

    def restore() -> None:
        for number, handler in handlers:
            # One that was not installed by Python cannot be set again.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    return restore


def _warnings() -> Restore:
    filters, show = [*warnings.filters], warnings.showwarning

    def restore() -> None:
        warnings.showwarning = show
        if [*warnings.filters] != filters:
            warnings.resetwarnings()
            warnings.filters[:] = filters  # type: ignore[index]

    return restore


def _interpreter() -> Restore:
    limit, collects, hook = sys.getrecursionlimit(), gc.isenabled(), sys.excepthook
    arguments, errors = [*sys.argv], sys.stderr

    def restore() -> None:
        sys.setrecursionlimit(limit)
        (gc.enable if collects else gc.disable)()
        sys.excepthook, sys.stderr, sys.argv[:] = hook, errors, arguments

    return restore


def _locale() -> Restore:
    name = locale.setlocale(locale.LC_ALL)
    return lambda: locale.setlocale(locale.LC_ALL, name)


def _numpy() -> Restore:
    if (numpy := sys.modules.get("numpy")) is None:
        return bool
    state = numpy.geterr()
    return lambda: numpy.seterr(**state)


def _torch() -> Restore:
    saved = {name: setting.get() for name, setting in _settings_of_torch().items()}

    def restore() -> None:
        for name, setting in _settings_of_torch().items():
            value = saved.get(name)
            value = setting.default if value is None else value
            if value is not None and setting.get() != value:
                setting.set(value)

    return restore


@dataclass(frozen=True, slots=True)
class _Setting:
    """A setting of torch: how to read and to set it, and its value at first."""

    get: Callable[[], Any]
    set: Callable[[Any], object]
    default: Any


def _settings_of_torch() -> dict[str, _Setting]:
    """Return the settings by name; none if torch is not imported."""
    if (torch := sys.modules.get("torch")) is None:
        return {}
    from nserbench.tiny_numbers import flushes

    cpu, onednn = torch.device("cpu"), torch.backends.mkldnn
    return {
        "type": _Setting(
            torch.get_default_dtype, torch.set_default_dtype, torch.float32
        ),
        "device": _Setting(
            torch.get_default_device,
            lambda device: torch.set_default_device(None if device == cpu else device),
            cpu,
        ),
        "gradients": _Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
        # How many there were before torch was imported cannot be known.
        "threads": _Setting(torch.get_num_threads, torch.set_num_threads, None),
        "determinism": _Setting(
            torch.are_deterministic_algorithms_enabled,
            torch.use_deterministic_algorithms,
            False,
        ),
        "products": _Setting(
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
            "highest",
        ),
        "oneDNN": _Setting(
            lambda: onednn.enabled, partial(setattr, onednn, "enabled"), True
        ),
        **{
            f"autocast on {kind}": _Setting(
                partial(torch.is_autocast_enabled, kind),
                partial(torch.set_autocast_enabled, kind),
                False,
            )
            for kind in ("cpu", "cuda")
        },
        "denormals": _Setting(flushes, torch.set_flush_denormal, False),
    }


_SAVED = (_signals, _warnings, _interpreter, _locale, _numpy, _torch)
