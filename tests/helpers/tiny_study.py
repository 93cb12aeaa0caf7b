"""All that the seven experiments take, each as small as it can be.

The corpora are true trees with a few of their utterances, tones in the place of their
speech; of CASIA, which is refused in part, all 1200. Weights are drawn at random.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from tiny_models import save_tiny
from trees import casia_files, iemocap_turns, write_casia, write_iemocap

RATE = 16_000
SECONDS = 0.15
CLASSES = {"ang": "ang", "neu": "neu", "sad": "sad", "hap": "hap", "exc": "hap"}
MELD = {
    "train": "train/train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
MELD_CLASSES = ("anger", "joy", "neutral", "sadness")
NOISES = ("OMEETING", "NPARK", "STRAFFIC")
CHECKPOINTS = {
    "whisper": "whisper",
    "whisper-en": "whisper.en",
    "whisper-cn": "whisper",
    "wav2vec2": "wav2vec2-deep",  # and mlkd, whose default is the same
    "hubert": "hubert",
    "wavlm": "wavlm",
    "conformer": "asr",
    "speechlm": "speechlm",
    "bert": "bert",
    "convtasnet": "convtasnet",
    "dccrn": "dccrn",
}
"""The tiny checkpoint, by its name in `tiny_models`, for each name that loads one."""


def write_corpora(folder: Path, test_data: Path) -> dict[str, str]:
    """Write IEMOCAP, MELD, CASIA and three noises.

    Returns:
        The environment variables that say where they are.
    """
    iemocap = write_iemocap(folder / "iemocap", few_turns(iemocap_turns(test_data)))
    casia = write_casia(folder / "casia", casia_files(test_data))
    meld = write_meld(folder / "meld", test_data / "meta/meld")
    demand = write_demand(folder / "demand")
    voice(path for path in folder.rglob("*.wav") if path.stat().st_nlink > 1)
    return {
        "NSERBENCH_IEMOCAP": str(iemocap),
        "NSERBENCH_CASIA": str(casia),
        "NSERBENCH_MELD": str(meld),
        "NSERBENCH_DEMAND": str(demand),
    }


def write_demand(folder: Path) -> Path:
    """Write three noises of a second."""
    for number, name in enumerate(NOISES):
        path = folder / name / "ch01.wav"
        path.parent.mkdir(parents=True)
        hiss = 0.1 * np.random.default_rng(number).standard_normal(RATE)
        soundfile.write(path, hiss, RATE, subtype="FLOAT")
    return folder


def few_turns(turns: Mapping[str, str]) -> dict[str, str]:
    """Keep a turn of each session and class."""
    kept: dict[tuple[str, str], str] = {}
    for name in sorted(turns):
        kept.setdefault((name[:5], CLASSES[turns[name]]), name)
    return {name: turns[name] for name in kept.values()}


def write_meld(
    folder: Path, tables: Path, classes: Sequence[str] = MELD_CLASSES
) -> Path:
    """Write the first utterances of each class in each part, and their clips."""
    for part, clips in MELD.items():
        with (tables / f"{part}_sent_emo.csv").open(encoding="utf-8", newline="") as it:
            reader = csv.DictReader(it)
            kept = _few_rows(reader, classes)
            fields = list(reader.fieldnames or ())
        (folder / clips).mkdir(parents=True)
        with (folder / f"{part}_sent_emo.csv").open("w", newline="") as stream:
            table = csv.DictWriter(stream, fields)
            table.writeheader()
            table.writerows(kept)
        for row in kept:
            name = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}.wav"
            soundfile.write(folder / clips / name, _tone(f"{part} {name}"), RATE)
    return folder


def write_checkpoints(folder: Path) -> dict[str, str]:
    """Write tiny weights, and give where they are by the name that loads them."""
    found: dict[str, str] = {}
    written: dict[str, str] = {}
    for name, tiny in CHECKPOINTS.items():
        if tiny not in written:
            written[tiny] = str(save_tiny(folder, tiny))
        found[name] = written[tiny]
    return found


def _few_rows(
    rows: Iterable[dict[str, str]], classes: Sequence[str], each: int = 2
) -> list[dict[str, str]]:
    kept: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["Emotion"] in classes and len(kept[row["Emotion"]]) < each:
            kept[row["Emotion"]].append(row)
    return [row for several in kept.values() for row in several]


def voice(paths: Iterable[Path]) -> None:
    """Return each file a tone of its own in the place of the one that they share."""
    for path in sorted(paths):
        path.unlink()
        # CASIA has one file of each name for a speaker and an emotion.
        name = "/".join(path.parts[-3:])
        soundfile.write(path, _tone(name), RATE, subtype="FLOAT")


def _tone(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    chance = np.random.default_rng(list(name.encode()))
    seconds = np.arange(int(RATE * chance.uniform(1, 1.3) * SECONDS)) / RATE
    wave = 0.3 * np.sin(2 * np.pi * chance.uniform(150, 900) * seconds)
    hiss: np.ndarray[tuple[int], np.dtype[np.float64]] = (
        wave + 0.01 * chance.standard_normal(len(seconds))
    )
    return hiss
