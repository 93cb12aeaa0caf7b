"""Speed of the feature store, against plain reads and writes of the same bytes.

The files are in the page cache. Both readers open a file, read into new memory and
close it. Both writers end with fsync. The plain one writes bytes that are in memory, as
`dd conv=fsync` does. Ours also arranges them, computes checksums and updates its index.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _measure import at_least, medians, seconds
from numpy.typing import NDArray

from nserbench.benchmark.extraction.extract import SHARD
from nserbench.benchmark.store.feature_store import Features, Store
from nserbench.benchmark.store.shards import SUFFIX, read_header
from nserbench.benchmark.training.batching import chunks

LAYERS, DIM, UTTERANCES = 13, 768, 64
READ = range(1, LAYERS)
"""Layers to read; most heads do not use layer 0."""
ROUNDS = 25

States = Mapping[str, NDArray[np.float16]]


def make_states(utterances: int, dim: int) -> States:
    """Return random frames, float16, of 1 to 5 s of speech at 50 frames per second."""
    rng = np.random.default_rng(0)
    return {
        f"{number:032x}": rng.standard_normal(
            (LAYERS, rng.integers(50, 250), dim), np.float32
        ).astype(np.float16)
        for number in range(utterances)
    }


def fill(store: Store, states: States) -> Features:
    """Write frames into a store, in shards of the same size as an extraction."""
    features = store.announce({"of": "a benchmark"})
    features.keys("frames")  # as an extraction does, to find what exists
    for shard in chunks(list(states.items()), SHARD):
        features.write(
            "frames", {key: {"encoder": frames} for key, frames in shard}, {}
        )
    return features


def write_plainly(folder: Path, states: States) -> None:
    """Write and sync the same bytes, in as many files."""
    folder.mkdir()
    for number, shard in enumerate(chunks(list(states.values()), SHARD)):
        with (folder / str(number)).open("wb", buffering=0) as stream:
            for frames in shard:
                stream.write(frames.data)
            os.fsync(stream.fileno())


def read_plainly(parts: Sequence[tuple[Path, int, int]]) -> None:
    """Read parts of files, each given by its file, first byte and length."""
    for file, start, size in parts:
        descriptor = os.open(file, os.O_RDONLY)
        os.preadv(descriptor, [np.empty(size, np.uint8).data], start)
        os.close(descriptor)


def where(features: Features) -> dict[str, tuple[Path, int, int]]:
    """Return file, first byte and length of the layers to read, by utterance."""
    return {
        name.partition("/")[0]: (
            file,
            array.start + READ.start * layer_bytes,
            len(READ) * layer_bytes,
        )
        for file in features.folder.glob(f"frames-*{SUFFIX}")
        for name, array in read_header(file)[0].items()
        for layer_bytes in [array.shape[1] * array.shape[2] * array.dtype.itemsize]
    }


def report_reading(features: Features, keys: Sequence[str], rounds: int) -> str:
    """Measure reading some layers of utterances in random order; return the line."""
    order = np.random.default_rng(1).permutation(list(keys)).tolist()
    locations = where(features)
    parts = [locations[key] for key in order]

    def read() -> None:
        for key in order:
            features.read("frames", key, "encoder", READ)

    read()
    ours, plain = medians(
        lambda: seconds(read),
        lambda: seconds(lambda: read_plainly(parts)),
        rounds=rounds,
    )
    return at_least("store-read", plain / ours, 0.8)


def report_writing(folder: Path, states: States, rounds: int) -> str:
    """Measure writing utterances into a new store; return the line."""
    target = folder / "written"

    def ours() -> float:
        store = Store(target)
        spent = seconds(lambda: fill(store, states))
        shutil.rmtree(target)
        return spent

    def plain() -> float:
        spent = seconds(lambda: write_plainly(target, states))
        shutil.rmtree(target)
        return spent

    our_time, plain_time = medians(ours, plain, rounds=rounds)
    return at_least("store-write", plain_time / our_time, 0.8)


def report(folder: Path, states: States, rounds: int) -> list[str]:
    """Measure both with files in a folder, and return the lines to print."""
    features = fill(Store(folder / "store"), states)
    return [
        report_reading(features, list(states), rounds),
        report_writing(folder, states, rounds),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(*report(Path(temporary), make_states(UTTERANCES, DIM), ROUNDS), sep="\n")
