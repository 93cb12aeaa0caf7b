"""Noisy speech as files, for users of other toolkits."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.corpora.audio import read_audio
from nserbench.corpora.base import Utterance
from nserbench.corpora.noise.mixing import Noise, add_noise
from nserbench.progress import Progress
from nserbench.upstreams.base import SAMPLE_RATE

MANIFEST = "manifest.csv"


def export(
    opened: OpenedCorpus,
    condition: Condition,
    folder: Path,
    seed: int,
    progress: Progress,
) -> Path:
    """Write every utterance in one condition, and a manifest of how it was made.

    Samples are 32-bit floats at 16 kHz, as upstreams hear them: nothing is clipped or
    rescaled. The manifest can be read back as ``manifest:path=FILE``.

    Args:
        opened: The corpus with its noises.
        condition: Which noise at which level.
        folder: Where to write, made if need be.
        seed: Of the noise offsets.
        progress: Hears of every utterance.

    Returns:
        The manifest, one row for each file.

    Raises:
        BadAudio: if a file or a stretch of noise cannot be used.
        BadSpec: if each fold is to have noise of its own, and there is too little.
    """
    if opened.rule.disjoint:
        opened.refuse_short_noises(
            [len(_read(one)) for one in opened.corpus.utterances]
        )
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    manifest.unlink(missing_ok=True)  # it stands only where all its files do
    utterances = opened.corpus.utterances
    progress.stage(f"writing {condition}", len(utterances), "clips")
    rows = []
    for one in utterances:
        rows.append(_write(one, opened.noise(condition), condition, folder, seed))
        progress.advance()
    with manifest.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    return manifest


def _write(
    one: Utterance, noise: Noise | None, condition: Condition, folder: Path, seed: int
) -> dict[str, object]:
    """Write one utterance and give its row of the manifest."""
    wave = _read(one)
    how: dict[str, object] = dict.fromkeys(
        ("noise", "snr", "noise_file", "offset", "gain", "measured_snr"), ""
    )
    if noise is not None and condition.snr is not None:
        mixture = add_noise(wave, noise, one.id, condition.snr, seed)
        wave = mixture.wave
        how = {
            "noise": noise.name,
            "snr": condition.snr,
            "noise_file": mixture.path,
            "offset": mixture.offset,
            "gain": repr(float(mixture.gain)),
            "measured_snr": f"{mixture.snr:.4f}",
        }
    # Quoted, since an id may be a path that leads out of the folder.
    file = folder / f"{quote(one.id, safe='@')}.wav"
    # Not by soundfile, whose float files hold the time at which they were written.
    wavfile.write(file, SAMPLE_RATE, wave)
    return {
        "path": file.name,
        **_labels(one),
        "source": one.path,
        **how,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def _read(one: Utterance) -> NDArray[np.float32]:
    return read_audio(one.path, one.start, one.end, one.channel)


def _labels(one: Utterance) -> dict[str, object]:
    return {
        "id": one.id,
        "label": one.label,
        "speaker": one.speaker,
        "fold": one.fold,
        "text": one.text or "",
        "language": one.language or "",
    }
