"""The feature store against plain reads and writes of the same bytes.

The files are in the page cache. Both readers open, read into new memory and close.
Both writers end with fsync. The plain one does what `dd conv=fsync` does, without its
reading: the bytes lie in memory. Ours lays them out, sums them up and keeps its books.
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
"""Most heads leave out layer 0."""
ROUNDS = 25

States = Mapping[str, NDArray[np.float16]]


def make_states(utterances: int, dim: int) -> States:
    """Draw frames, float16, of 1 to 5 s of speech at 50 frames per second."""
    rng = np.random.default_rng(0)
    return {
        f"{number:032x}": rng.standard_normal(
            (LAYERS, rng.integers(50, 250), dim), np.float32
        ).astype(np.float16)
        for number in range(utterances)
    }


def fill(store: Store, states: States) -> Features:
    """Write frames into a store, in shards as large as an extraction's."""
    features = store.announce({"of": "a benchmark"}, {})
    features.keys("frames")  # as an extraction does, which looks for what is there
    for shard in chunks(list(states.items()), SHARD):
        features.write("frames", {key: {"encoder": one} for key, one in shard}, {})
    return features


def write_plainly(folder: Path, states: States) -> None:
    """Write and sync the same bytes, as many in each file."""
    folder.mkdir()
    for number, shard in enumerate(chunks(list(states.values()), SHARD)):
        with (folder / str(number)).open("wb", buffering=0) as stream:
            for one in shard:
                stream.write(one.data)
            os.fsync(stream.fileno())


def read_plainly(parts: Sequence[tuple[Path, int, int]]) -> None:
    """Read parts of files, each given by its first byte and its length."""
    for file, start, size in parts:
        descriptor = os.open(file, os.O_RDONLY)
        os.preadv(descriptor, [np.empty(size, np.uint8).data], start)
        os.close(descriptor)


def where(features: Features) -> dict[str, tuple[Path, int, int]]:
    """Give where the layers to read lie, by utterance."""
    return {
        name.partition("/")[0]: (
            file,
            one.start + READ.start * row,
            len(READ) * row,
        )
        for file in features.folder.glob(f"frames-*{SUFFIX}")
        for name, one in read_header(file)[0].items()
        for row in [one.shape[1] * one.shape[2] * one.dtype.itemsize]
    }


def report_reading(features: Features, keys: Sequence[str], rounds: int) -> str:
    """Measure reading some layers of utterances in random order."""
    order = np.random.default_rng(1).permutation(list(keys)).tolist()
    places = where(features)
    parts = [places[key] for key in order]

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
    """Measure writing utterances into a new store."""
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

    spent, wanted = medians(ours, plain, rounds=rounds)
    return at_least("store-write", wanted / spent, 0.8)


def report(folder: Path, states: States, rounds: int) -> list[str]:
    """Measure both, with files in a folder."""
    features = fill(Store(folder / "store"), states)
    return [
        report_reading(features, list(states), rounds),
        report_writing(folder, states, rounds),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(*report(Path(place), make_states(UTTERANCES, DIM), ROUNDS), sep="\n")
