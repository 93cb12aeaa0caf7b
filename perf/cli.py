"""Start-up time of `nserbench --help`, against importing click and rich alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _measure import at_most, medians, seconds

HELP = (str(Path(sys.executable).with_name("nserbench")), "--help")
IMPORT = (sys.executable, "-c", "import click, rich")
ROUNDS = 15


def run(command: Sequence[str]) -> float:
    """Run a command; return its duration in seconds."""
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def report(rounds: int) -> list[str]:
    """Measure, and return the lines to print."""
    run(HELP)
    run(IMPORT)
    ours, imports = medians(lambda: run(HELP), lambda: run(IMPORT), rounds=rounds)
    return [at_most("cli-start", ours / imports, 3)]


if __name__ == "__main__":
    print(*report(ROUNDS), sep="\n")
