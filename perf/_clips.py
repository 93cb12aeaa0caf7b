"""Make a corpus of noise clips on disk, and studies on it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.settings import Settings

RATE = 16_000
FOLDS = 5
CLASSES = ("anger", "happiness", "neutral", "sadness")


def write_clips(folder: Path, count: int, seconds: tuple[float, float]) -> Path:
    """Write clips of random length, by five speakers who are a fold each.

    Args:
        folder: New folder for the clips.
        count: Number of clips.
        seconds: Shortest and longest duration of a clip.

    Returns:
        The path of the manifest.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    manifest = folder / "clips.csv"
    with manifest.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "id", "label", "speaker", "fold"))
        for number in range(count):
            wave = 0.1 * rng.standard_normal(int(RATE * rng.uniform(*seconds)))
            soundfile.write(folder / f"{number}.wav", wave, RATE)
            fold = number % FOLDS
            label = CLASSES[number // FOLDS % len(CLASSES)]
            writer.writerow((f"{number}.wav", number, label, f"speaker_{fold}", fold))
    return manifest


def study_of(
    upstream: str, heads: Sequence[str], manifest: Path, epochs: int, seed: int = 0
) -> Study:
    """Return a study of heads on an upstream, on the clips of a manifest."""
    request = Request(
        upstreams=[upstream],
        downstreams=heads,
        corpora=[f"manifest:path={manifest}"],
        protocol="paper",
        epochs=epochs,
        seeds=[seed],
    )
    return make_study(request, Plugins(installed=False), Settings())
