"""Audio files for the corpora's tests."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import soundfile
from hypothesis.configuration import set_hypothesis_home_dir
from numpy.typing import NDArray

# On import, since hypothesis writes as soon as tests are collected, and its folder in
# the repository would stop the next collection.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "nserbench-hypothesis")

WriteAudio: TypeAlias = Callable[..., Path]


def tone(rate: int) -> NDArray[np.float32]:
    seconds = np.arange(rate // 10) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)


@pytest.fixture
def write_audio(tmp_path: Path) -> WriteAudio:
    """Return a function that writes samples, a short tone unless given, to a file."""

    def write(
        name: str, samples: NDArray[np.float32] | None = None, rate: int = 16_000
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = tone(rate) if samples is None else samples
        floats = path.suffix.lower() == ".wav"  # FLAC has none
        subtype = "FLOAT" if floats else "PCM_16"
        soundfile.write(path, wave, rate, subtype=subtype)
        return path

    return write
