"""A corpus of noise on disk, and studies over it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.study import Request, Study, make_study
from nserbench.settings import Settings

RATE = 16_000
FOLDS = 5
CLASSES = ("anger", "happiness", "neutral", "sadness")


def write_clips(folder: Path, count: int, seconds: tuple[float, float]) -> Path:
    """Write clips with lengths between two; five speakers, each a fold.

    Returns:
        Their manifest.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    table = folder / "clips.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("path", "id", "label", "speaker", "fold"))
        for number in range(count):
            wave = 0.1 * rng.standard_normal(int(RATE * rng.uniform(*seconds)))
            soundfile.write(folder / f"{number}.wav", wave, RATE)
            fold = number % FOLDS
            label = CLASSES[number // FOLDS % len(CLASSES)]
            rows.writerow((f"{number}.wav", number, label, f"speaker_{fold}", fold))
    return table


def study_of(
    upstream: str, heads: Sequence[str], table: Path, epochs: int, seed: int = 0
) -> Study:
    """Ask for heads on an upstream over the clips of a manifest."""
    request = Request(
        upstreams=[upstream],
        downstreams=heads,
        corpora=[f"manifest:path={table}"],
        protocol="paper",
        epochs=epochs,
        seeds=[seed],
    )
    return make_study(request, Plugins(installed=False), Settings())
