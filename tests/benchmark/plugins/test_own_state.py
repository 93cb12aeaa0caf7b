"""What a plugin changes in the process is as before when its code has ended."""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nserbench.benchmark.plugins.own_state import is_running, own_state


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "folder": (lambda: os.chdir("/"), Path.cwd),
    "signals": (ignore_interrupts, lambda: signal.getsignal(signal.SIGINT)),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: [*warnings.filters]),
    "recursion": (lambda: sys.setrecursionlimit(300), sys.getrecursionlimit),
    "arguments": (lambda: sys.argv.clear(), lambda: [*sys.argv]),
    "collector": (gc.disable, gc.isenabled),
    "output": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "closed output": (lambda: sys.stdout.close(), lambda: sys.stdout.closed),
    "numpy": (lambda: np.seterr(all="raise"), np.geterr),
    "type": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "autocast": (
        lambda: torch.set_autocast_enabled("cpu", True),
        lambda: torch.is_autocast_enabled("cpu"),
    ),
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "products": (
        lambda: torch.set_float32_matmul_precision("medium"),
        torch.get_float32_matmul_precision,
    ),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "denormals": (
        lambda: torch.set_flush_denormal(True),
        lambda: (torch.tensor(1e-39) * 1.0).item() > 0,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_plugin_changed_is_restored(what: str) -> None:
    change, look = CHANGES[what]
    before = look()

    with own_state():
        change()

    assert look() == before


def test_what_a_plugin_changed_is_restored_when_it_fails() -> None:
    @own_state()
    def fail() -> None:
        torch.set_default_dtype(torch.float64)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert torch.get_default_dtype() == torch.float32
    assert not is_running()


def test_a_copy_of_the_process_ends_with_the_code_that_started_it(
    tmp_path: Path,
) -> None:
    child = 0
    with own_state():
        child = os.fork()
    if child == 0:
        (tmp_path / "went on").touch()
        os._exit(0)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 1
    assert not (tmp_path / "went on").exists()
