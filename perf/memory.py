"""Whether memory grows from fit to fit of a head on frames.

Prints a line ``NAME RATIO (bar N) ok|short``: after the last fit, divided by after the
second. The first one sets libraries up.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from _frames import stored_frames
from _measure import at_most
from torch import Generator

from nserbench.benchmark.training.fit_one import FitSeeds, predict, train_head
from nserbench.benchmark.training.sources import FrameSource
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.ladapter import LAdapter
from nserbench.upstreams.groups import GroupSpec

GROUPS = {"encoder": GroupSpec(range(1, 3), dim=64, rate=50.0)}
OPTIONS = {"dropout": 0.5, "state0": False, "weights": "free"}
CLASSES, CLIPS, FITS = 4, 80, 20
RECIPE = Recipe(epochs=1)
SHORTEST, LONGEST = 20, 350  # frames
_RESIDENT = Path("/proc/self/statm")  # Linux


def resident() -> int:
    """Return the bytes of this process that are in memory now."""
    return int(_RESIDENT.read_text().split()[1]) * resource.getpagesize()


def after_fits(source: FrameSource, fits: int) -> Iterator[int]:
    """Train and test heads, each on other clips; yield the memory after each, bytes."""
    clips = len(source.frames("encoder"))
    labels, chance = torch.arange(clips) % CLASSES, Generator().manual_seed(0)
    for number in range(fits):
        train, test = torch.randperm(clips, generator=chance).tensor_split([-16])
        head = LAdapter(GROUPS, CLASSES, OPTIONS)
        seeds = FitSeeds(number, "1")
        train_head(head, source, train, labels, CLASSES, RECIPE, seeds, "cpu")
        predict(head, source, test, "cpu")
        yield resident()


def report(folder: Path, clips: int, fits: int) -> list[str]:
    """Measure, and return the lines to print."""
    normal = torch.randn(clips, generator=Generator().manual_seed(0))
    lengths = (100 * (normal / 2).exp()).clamp(SHORTEST, LONGEST).long()
    memory = list(after_fits(stored_frames(folder, lengths, GROUPS), fits))
    return [at_most("fits-memory", memory[-1] / memory[1], 1.1)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(*report(Path(temporary), CLIPS, FITS), sep="\n")
