"""Tiny checkpoints of transformers, and sounds to put into them."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hf_checks import Checkpoint, Wave
from tiny_hf import save_hf

from nserbench.upstreams.base import Batch
from nserbench.upstreams.huggingface import model as huggingface


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return a function from a name to its tiny checkpoint, written once."""
    return cache(lambda name: save_hf(tmp_path_factory.mktemp("hf"), name))


@pytest.fixture
def copied(checkpoint: Checkpoint, tmp_path: Path) -> Checkpoint:
    """Return a function from a name to a copy of its checkpoint, to be broken."""
    return lambda name: Path(shutil.copytree(checkpoint(name), tmp_path / name))


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep transcripts short."""
    monkeypatch.setattr(huggingface, "MOST_TOKENS", 6)


@pytest.fixture(scope="session")
def batch(sound: Callable[..., Wave]) -> Batch:
    """Return three sounds of different lengths."""
    return Batch.of(*(sound(length, length) for length in (16_161, 9_000, 1_600)))
