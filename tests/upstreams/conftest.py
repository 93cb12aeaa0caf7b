"""Tiny Whispers in real folders, and sounds to put into them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_whisper import END, TIMES, TOKENS, save_english_whisper, save_whisper

from nserbench.upstreams.base import Batch
from nserbench.upstreams.whisper import Whisper

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
OpenWhisper = Callable[..., Whisper]

_NEEDS = {
    "enhancement/test_asteroid.py": "asteroid",
    "opensmile/test_upstream.py": "opensmile",
    "test_s3prl.py": "s3prl",
    "test_s3prl_loading.py": "s3prl",
}
"""The optional package of each module of tests that imports one."""
collect_ignore = [file for file, name in _NEEDS.items() if find_spec(name) is None]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep tensors this small off other cores, where they only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Whisper that knows en, zh and de, and says a few letters."""
    return save_whisper(tmp_path_factory.mktemp("multi"))


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an English-only Whisper; as the real one, it has words for languages."""
    return save_english_whisper(tmp_path_factory.mktemp("english"))


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Whisper that itself would say nothing but timestamps."""
    times = [TOKENS[time] for time in TIMES]
    return save_whisper(tmp_path_factory.mktemp("clock"), allowed=(*times, END))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that copies a checkpoint, to be broken."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def open_whisper() -> OpenWhisper:
    """Return a function that loads a Whisper from a folder."""

    def load(folder: Path, language: str | None = None, pad: bool = True) -> Whisper:
        options = {
            "checkpoint": str(folder),
            "revision": None,
            "language": language,
            "pad": pad,
        }
        return Whisper(options, "cpu")

    return load


@pytest.fixture(scope="session")
def whisper(multilingual: Path, open_whisper: OpenWhisper) -> Whisper:
    """Return the multilingual Whisper, loaded."""
    return open_whisper(multilingual)


@pytest.fixture(scope="session")
def sound() -> MakeSound:
    """Return a function that makes noise that swells and fades."""

    def make(samples: int, seed: int = 0) -> Wave:
        noise = np.random.default_rng(seed).standard_normal(samples)
        return (0.1 * noise * np.hanning(samples)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def batch(sound: MakeSound) -> Batch:
    """Return four sounds of different lengths, three of them in a language."""
    waves = [sound(length, length) for length in (16_000, 5_001, 1, 30_400)]
    return Batch("abcd", waves, [None] * 4, ["de", None, "en", "zh"])
