"""Read random inputs with everything of nserbench that reads what others wrote.

An input ends well if it is read or refused with a message for the user. All else is a
failure, also a hang, too much memory and a crash. Failures are written to a folder, and
`--repeat` reads one again.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fuzz.catalogue import TARGETS
from fuzz.run import Outcome, attempt, fuzz
from fuzz.target import Target

from nserbench.matmul_trial import processor

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"
MEMORY_DISK = Path("/dev/shm")
_HEAD = "| target | inputs | refused | failures | slowest | highest memory |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the targets; return 1 if there was a failure."""
    options = _parser().parse_args(arguments)
    targets = [one for one in TARGETS if re.search(options.only, one.name)]
    if options.repeat is not None:
        return _repeat(targets[0], options.repeat)
    outcomes = []
    for target in targets:
        with tempfile.TemporaryDirectory(dir=_disk()) as scratch:
            os.environ["NSERBENCH_STORE"] = f"{scratch}/store"
            outcome = fuzz(
                target, options.count, options.seed, options.failed, Path(scratch)
            )
        outcomes.append(outcome)
        print(row(outcome), flush=True)
        for place, number in outcome.failures.items():
            print(f"    {number} x {place}", flush=True)
        if options.write:
            write_table(PAGE, [row(outcome)], options.seed)
    return int(any(outcome.failures for outcome in outcomes))


def row(outcome: Outcome) -> str:
    """Return the row of a target."""
    failures = sum(outcome.failures.values())
    return (
        f"| {outcome.target} | {outcome.inputs} | {outcome.refused} | {failures} "
        f"| {outcome.slowest * 1000:.0f} ms | {outcome.memory / 2**20:.0f} MiB |"
    )


def write_table(page: Path, rows: Sequence[str], seed: int) -> None:
    """Put rows into the table of a page, in place of those of the same targets."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    known = {line.split("|")[1]: line for line in table.splitlines()[4:] if "|" in line}
    known |= {line.split("|")[1]: line for line in rows}
    order = [f" {target.name} " for target in TARGETS]
    lines = [known[name] for name in order if name in known]
    title = f"On {processor()}, one process, seed {seed}:"
    body = "\n".join([title, "", _HEAD, "|---|" + "--:|" * 5, *lines])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def _repeat(target: Target, kept: Path) -> int:
    """Read an input that failed before."""
    files = {
        str(file.relative_to(kept)): file.read_bytes()
        for file in kept.rglob("*")
        if file.is_file() and file.name != "ABOUT.txt"
    }
    with tempfile.TemporaryDirectory(dir=_disk()) as scratch:
        os.environ["NSERBENCH_STORE"] = f"{scratch}/store"
        folder = Path(scratch) / "input"
        folder.mkdir()
        target.prepare(folder)
        attempt(target, files, folder)
    return 0


def _disk() -> Path | None:
    return MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="inputs a target")
    parser.add_argument("--only", default="", help="targets whose name has this")
    parser.add_argument("--seed", type=int, default=0, help="seed of all inputs")
    parser.add_argument(
        "--failed", type=Path, default=Path("fuzz-failures"), help="folder for failures"
    )
    parser.add_argument("--repeat", type=Path, help="read this failure again")
    parser.add_argument("--write", action="store_true", help="write the page's table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
