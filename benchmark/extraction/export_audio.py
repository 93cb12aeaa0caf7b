"""Write noisy speech to files, for use with other toolkits."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from nserbench.benchmark.extraction.clips import Clip, clip_notes
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.corpora.audio import read_utterance
from nserbench.corpora.base import Utterance
from nserbench.corpora.noise.mixing import Noise, add_noise
from nserbench.progress import Progress
from nserbench.upstreams.base import SAMPLE_RATE

MANIFEST = "manifest.csv"
_PLAIN = re.compile(r"[\w@+=,-][\w@+=,. -]{0,99}", re.ASCII)
"""Ids that are file names as they are."""
_UNSAFE = re.compile(r"[^\w@+=,.-]+", re.ASCII)
_SHORT = 60
"""Characters that are kept of other ids."""


def export(
    opened: OpenedCorpus,
    condition: Condition,
    folder: Path,
    seed: int,
    progress: Progress,
) -> Path:
    """Write every utterance in one condition, and a manifest of how it was made.

    Samples are 32-bit floats at 16 kHz, as upstreams receive them: nothing is clipped
    or rescaled. The manifest can be used as a corpus: ``manifest:path=FILE``.

    Args:
        folder: Folder to write to, created if missing.

    Returns:
        Path of the manifest, which has one row for each file.

    Raises:
        BadAudio: if a file or a part of the noise cannot be used.
        BadSpec: if each fold needs a separate part of the noise, and there is too
            little noise for that.
    """
    utterances = opened.corpus.utterances
    if opened.rule.disjoint:
        opened.refuse_short_noises(
            [len(read_utterance(utterance).wave) for utterance in utterances]
        )
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    manifest.unlink(missing_ok=True)  # there is a manifest only if all files are
    noise = opened.noise(condition)
    progress.stage(f"writing {condition}", len(utterances), "clips")
    rows, clips = [], []
    names = file_names([utterance.id for utterance in utterances])
    for utterance in utterances:
        sound = read_utterance(utterance)
        file = folder / f"{names[utterance.id]}.wav"
        rows.append(_write(utterance, sound.wave, noise, condition, file, seed))
        clips.append(Clip(utterance, "", len(sound.wave), sound.levels))
        progress.advance()
    for line in clip_notes(clips):
        progress.note(line)
    with manifest.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    return manifest


def _write(
    utterance: Utterance,
    wave: NDArray[np.float32],
    noise: Noise | None,
    condition: Condition,
    file: Path,
    seed: int,
) -> dict[str, object]:
    """Write one utterance, ``(samples,)``, and return its row of the manifest."""
    mixing: dict[str, object] = dict.fromkeys(
        ("noise", "snr", "noise_file", "offset", "gain", "measured_snr"), ""
    )
    if noise is not None and condition.snr is not None:
        mixture = add_noise(wave, noise, utterance.id, condition.snr, seed)
        wave = mixture.wave
        mixing = {
            "noise": noise.name,
            "snr": condition.snr,
            "noise_file": mixture.path,
            "offset": mixture.offset,
            "gain": repr(float(mixture.gain)),
            "measured_snr": f"{mixture.snr:.4f}",
        }
    # Not by soundfile, whose float files hold the time at which they were written.
    wavfile.write(file, SAMPLE_RATE, wave)
    return {
        "path": file.name,
        **_labels(utterance),
        "source": utterance.path,
        **mixing,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def file_names(ids: Sequence[str]) -> dict[str, str]:
    """Return a file name without ending for each id, which every system takes.

    An id may be a path that leads out of the folder, may begin with a dot, and is, if
    Chinese and quoted, longer than a file name may be. The names of such ids, and of
    those that differ only in case, are shortened and end with a digest of the id.
    """
    counts = Counter(name.casefold() for name in ids)
    return {
        name: name
        if _PLAIN.fullmatch(name) and counts[name.casefold()] == 1
        else f"{_UNSAFE.sub('_', name).lstrip('._')[:_SHORT]}-{digest(name)[:12]}"
        for name in ids
    }


def _labels(utterance: Utterance) -> dict[str, object]:
    return {
        "id": utterance.id,
        "label": utterance.label,
        "speaker": utterance.speaker,
        "fold": utterance.fold,
        "text": utterance.text or "",
        "language": utterance.language or "",
    }
