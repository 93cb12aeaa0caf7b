"""Many cells in one run: memory and open files stay as they are."""

from __future__ import annotations

import re
import time
from pathlib import Path
from random import Random
from statistics import mean

from faults.fault import Fault, Seen
from faults.workload import Place, stopped_at_end

CELLS = 300
_MOST_GROWTH = 0.10
_MOST_FILES = 5
_SECONDS = 600.0


def _many_cells(folder: Path, random: Random) -> Seen:
    """Run many cells, and compare the last third with the first third."""
    place = Place(folder, more=("--seeds", str(CELLS)))
    running, samples = place.start(), list[tuple[int, int]]()
    with stopped_at_end(running):
        process = Path("/proc") / str(running.process.pid)
        while running.alive:
            if place.finished() > 0:  # the libraries are loaded
                samples += _sample(process)
            time.sleep(0.1)
        running.wait(_SECONDS).checked()
    assert place.finished() == CELLS, f"{place.finished()} cells"
    third = len(samples) // 3
    assert third, "it ended too soon to be measured"
    (memory, files), (memory_later, files_later) = (
        [mean(column) for column in zip(*part, strict=True)]
        for part in (samples[:third], samples[-third:])
    )
    growth = memory_later / memory - 1
    assert growth <= _MOST_GROWTH, f"memory grew by {growth:.0%} from {memory:.0f} KiB"
    assert files_later - files <= _MOST_FILES, f"{files:.0f} to {files_later:.0f} files"
    seen = f"memory {growth:+.1%}, open files {files_later - files:+.1f}"
    return Seen("", f"{seen} ({memory / 1024:.0f} MiB, {files:.0f} files)")


def _sample(process: Path) -> list[tuple[int, int]]:
    """Return the memory of a process in KiB and its open files; empty if it ended."""
    try:
        status = (process / "status").read_text()
        files = len([*(process / "fd").iterdir()])
    except OSError:
        return []
    memory = re.search(r"VmRSS:\s+(\d+)", status)
    return [(int(memory[1]), files)] if memory else []


FAULTS: tuple[Fault, ...] = (
    Fault("Scale", f"{CELLS} cells in one run", _many_cells, 1),
)
