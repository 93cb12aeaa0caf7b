"""A small corpus of notes, and noise to add to it."""

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
HOP = 160


def write_corpus(
    folder: Path,
    speakers: int = 4,
    takes: int = 3,
    seconds: tuple[float, float] = (0.2, 0.4),
) -> Path:
    """Write low and high notes of some speakers, and return their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for speaker in range(speakers):
        for label, pitch in (("low", 200.0), ("high", 900.0)):
            for take in range(takes):
                name = f"s{speaker}_{label}_{take}"
                time = np.arange(int(RATE * rng.uniform(*seconds))) / RATE
                wave = 0.3 * np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * time)
                wave += 0.01 * rng.standard_normal(len(time))
                soundfile.write(folder / f"{name}.wav", wave, RATE, subtype="FLOAT")
                rows.append([f"{name}.wav", name, label, f"s{speaker}", speaker % 2])
    file = folder / "notes.csv"
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "id", "label", "speaker", "fold"])
        table.writerows(rows)
    return file


def write_noise(file: Path, seed: int = 1, seconds: float = 3.0) -> Path:
    """Write white noise."""
    noise = 0.1 * np.random.default_rng(seed).standard_normal(int(RATE * seconds))
    soundfile.write(file, noise, RATE, subtype="FLOAT")
    return file
