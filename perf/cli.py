"""How soon `nserbench --help` answers, against importing what it prints with."""

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
    """Run a command; give the seconds until it is over."""
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def report(rounds: int) -> list[str]:
    """Measure."""
    run(HELP)
    run(IMPORT)
    ours, least = medians(lambda: run(HELP), lambda: run(IMPORT), rounds=rounds)
    return [at_most("cli-start", ours / least, 3)]


if __name__ == "__main__":
    print(*report(ROUNDS), sep="\n")
