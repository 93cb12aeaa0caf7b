"""The files that the small study of the faults reads, written once."""

from __future__ import annotations

import atexit
import csv
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

SPEAKERS, TAKES = 4, 10
UTTERANCES = SPEAKERS * TAKES * 2
"""Utterances of the corpus; a fold has half of them as training set."""
EPOCHS = 4
RATE = 16_000


@dataclass(frozen=True)
class Inputs:
    """The files that the study reads.

    Attributes:
        folder: Folder of all of them.
    """

    folder: Path

    @property
    def manifest(self) -> Path:
        """List of the utterances."""
        return self.folder / "notes" / "notes.csv"

    @property
    def noise(self) -> Path:
        """Audio file of the noise ``hiss``."""
        return self.folder / "hiss.wav"

    @property
    def checkpoint(self) -> Path:
        """Weights of the upstream ``tunable``."""
        return self.folder / "levels.pt"

    def audio(self) -> list[Path]:
        """Return the audio files of the utterances, in the order of their ids."""
        return sorted(self.manifest.parent.glob("*.wav"))

    def names(self, study: str = "levels") -> list[str]:
        """Return the options of ``nserbench run`` for a study.

        Args:
            study: ``levels``, ``tuned``, which fine-tunes the upstream, or ``noisy``,
                which has a second condition.
        """
        upstream = "levels"
        if study == "tuned":
            upstream = f"tunable:checkpoint={self.checkpoint},finetune=steps"
        corpora = [f"manifest:path={self.manifest}"]
        if study == "noisy":
            corpora.append(f"manifest-hiss:path={self.manifest}")
        each = [word for corpus in corpora for word in ("-c", corpus)]
        return ["-u", upstream, "-d", "steps", *each, "--epochs", str(EPOCHS)]


def write_inputs(folder: Path) -> Inputs:
    """Write the files of the study into a new folder; the same in each folder."""
    inputs = Inputs(folder)
    inputs.manifest.parent.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for speaker in range(SPEAKERS):
        for label, pitch in (("low", 200.0), ("high", 900.0)):
            for take in range(TAKES):
                name = f"s{speaker}_{label}_{take}"
                seconds = np.arange(int(RATE * rng.uniform(0.2, 0.4))) / RATE
                wave = np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * seconds)
                wave = 0.3 * wave + 0.2 * rng.standard_normal(len(seconds))
                _write_audio(inputs.manifest.parent / f"{name}.wav", wave)
                rows.append([f"{name}.wav", name, label, f"s{speaker}", speaker % 2])
    with inputs.manifest.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "id", "label", "speaker", "fold"])
        table.writerows(rows)
    _write_audio(inputs.noise, 0.1 * rng.standard_normal(3 * RATE))
    weights = torch.eye(3) + 0.1
    torch.save({"weight": weights, "bias": torch.zeros(3)}, inputs.checkpoint)
    (folder / "nserbench.toml").write_text('[noises]\nhiss = "hiss.wav"\n')
    return inputs


def _write_audio(
    file: Path, wave: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    soundfile.write(file, wave, RATE, subtype="FLOAT")


@functools.cache
def shared_inputs() -> Inputs:
    """Return the files of the study, written once; an attempt must not change them."""
    return write_inputs(scratch() / "inputs")


@functools.cache
def scratch() -> Path:
    """Return a temporary folder that is deleted when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="nserbench-faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
