"""A run works where Python lacks what only POSIX has, as on Windows."""

import json
import subprocess
import sys
from pathlib import Path

WITHOUT_POSIX = """
import os, signal, sys
for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None  # importing it fails
for name in ("fork", "geteuid", "getuid", "posix_fadvise", "preadv", "statvfs"):
    delattr(os, name)
for name in ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGPIPE"):
    delattr(signal, name)
from nserbench.__main__ import program
program()
"""


def test_a_run_needs_nothing_that_only_posix_has(notes: str, tmp_path: Path) -> None:
    line = f"run -u mel -d mean -c {notes} --noise hiss --epochs 1"

    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, *line.split()],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    (file,) = tmp_path.glob("results/*/result.json")
    result = json.loads(file.read_text("utf-8"))
    assert result["status"] == "done"
