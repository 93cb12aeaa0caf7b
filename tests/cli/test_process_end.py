"""The process ends although the code of a plugin does not."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

HANGS = """
import ctypes, os
c = ctypes.CDLL(None)
c.pthread_mutex_lock.argtypes = [ctypes.c_void_p]
mutex = ctypes.create_string_buffer(64)
while True:
    try:
        os.write(2, b"hangs now")
        c.pthread_mutex_lock(mutex)
    except BaseException:
        pass
"""
LISTED = [sys.executable, "-m", "nserbench", "list", "--plugin", "mine.py"]


def test_ctrl_c_ends_a_plugin_that_waits_in_a_library_and_catches_every_error() -> None:
    Path("mine.py").write_text(HANGS)
    # As in the foreground: a shell starts others with interrupts ignored.
    takes_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        LISTED, stderr=subprocess.PIPE, preexec_fn=takes_interrupts
    ) as process:
        assert process.stderr is not None
        assert process.stderr.read(9) == b"hangs now"
        os.kill(process.pid, signal.SIGINT)

        try:
            told = process.communicate(timeout=60)[1].decode()
        finally:
            process.kill()
    assert process.returncode == 130
    assert "\nstopped; finished results are kept. To continue:\n" in told
    assert "nserbench list --plugin mine.py\n  the code of a plugin did not" in told


def test_a_thread_of_a_plugin_does_not_keep_the_process() -> None:
    Path("mine.py").write_text(
        "import threading\n"
        "import nserbench\n"
        "@nserbench.hookimpl\n"
        "def nserbench_upstreams():\n"
        "    return []\n"
        "threading.Thread(target=threading.Event().wait, name='endless').start()"
    )

    ended = subprocess.run(LISTED, capture_output=True, text=True, check=False)

    assert ended.returncode == 0
    assert "upstreams" in ended.stdout
    assert ended.stderr == (
        "warning: a plugin started threads that have not ended: endless\n"
    )


@pytest.mark.parametrize("module", ["nserbench.option_values", "nserbench.cli.run"])
def test_ctrl_c_while_the_program_is_imported_ends_it_without_a_word(
    module: str,
) -> None:
    Path("nserbench_interrupt.py").write_text(
        "import os, signal, sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Interrupt(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from nserbench.__main__ import program\n"
        "program()\n"
    )

    ended = subprocess.run(
        [sys.executable, "nserbench_interrupt.py"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
