"""Speed of extraction against a plain loop with transformers, and its peak memory.

Both read the same files, run the same wav2vec 2.0 on one file after another, and keep
the mean over time of every layer. Then the speed of two cores against one, and beside
another program against alone: with both groups of Whisper tiny.en if its weights are in
``NSERBENCH_TEST_DATA``, else with the wav2vec 2.0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import soundfile
import torch
from _clips import RATE, study_of, write_clips
from _measure import at_least, at_most, medians, seconds
from numpy.typing import NDArray

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.need import Need, entries_of
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.environment import peak_memory
from nserbench.benchmark.store.feature_store import Store
from nserbench.progress import Silent

SIZE = {
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "conv_dim": (96,) * 7,
}
"""Much smaller than wav2vec 2.0 base, so that the time outside of the model counts."""

CLIPS, LENGTHS = 64, (2.0, 6.0)  # seconds
FEW, MANY, SHORT = 200, 2000, (0.5, 1.0)
ROUNDS = 7
SHARED, SHARED_ROUNDS = 20, 3
WEIGHTS = "models/whisper-tiny.en"
SPIN = [sys.executable, "-c", "while True: pass"]

SMALL_CACHE = {**os.environ, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32"}
"""By default oneDNN caches a compiled kernel for each of 1024 lengths of a wave, which
takes up to 100 MB with any library."""


def save_model(folder: Path) -> Path:
    """Write a small wav2vec 2.0 with random weights."""
    import transformers as lib  # after nserbench, so that it loads without torchaudio

    lib.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    lib.Wav2Vec2Model(lib.Wav2Vec2Config(**SIZE)).save_pretrained(folder)
    lib.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def whisper_or(model: Path) -> str:
    """Return Whisper tiny.en if its weights are there, else a wav2vec 2.0."""
    data = os.environ.get("NSERBENCH_TEST_DATA")
    if data is not None and (weights := Path(data) / WEIGHTS).is_dir():
        return f"whisper:checkpoint={weights}"
    return wav2vec2(model)


def wav2vec2(model: Path) -> str:
    """Return what is typed for the wav2vec 2.0 in a folder."""
    return f"wav2vec2:checkpoint={model}"


def make_job(upstream: str, manifest: Path, store: Store) -> Job:
    """Return a job that extracts the clips of a manifest."""
    study = study_of(upstream, ["mean"], manifest, epochs=1)
    return prepare(study, store, Silent())[0]


def fill(job: Job, store: Store, models: ModelCache) -> None:
    """Extract the features that a store lacks."""
    entries = entries_of(job.extraction.alone, ["pooled"])
    need = Need.of(job.extraction.alone, job.clips, entries)
    extract_missing(need, store, models, Silent())


class PlainLoop:
    """The extraction as one would write it with transformers alone.

    Args:
        model: Folder of the checkpoint.
    """

    def __init__(self, model: Path) -> None:
        import transformers as lib

        self.extractor = lib.Wav2Vec2FeatureExtractor.from_pretrained(model)
        self.model = lib.Wav2Vec2Model.from_pretrained(model).eval()

    @torch.no_grad()
    def extract(self, file: Path) -> NDArray[np.float32]:
        """Return the mean over time of every layer of a file, ``(layers, dim)``."""
        wave, _ = soundfile.read(file, dtype="float32")
        inputs = self.extractor(wave, sampling_rate=RATE, return_tensors="pt")
        states = self.model(**inputs, output_hidden_states=True).hidden_states
        pooled: NDArray[np.float32] = torch.cat(states).mean(dim=1).numpy()
        return pooled


def report_rate(folder: Path, model: Path, manifest: Path, rounds: int) -> str:
    """Measure the speed, and return the line to print."""
    models, loop = ModelCache("cpu"), PlainLoop(model)
    job = make_job(wav2vec2(model), manifest, Store(folder / "first"))
    models.open(job.extraction.alone)
    files = [clip.utterance.path for clip in job.clips]
    stores = (Store(folder / str(number)) for number in range(rounds))

    def ours() -> float:
        store = next(stores)
        return seconds(lambda: fill(job, store, models))

    def plain() -> float:
        return seconds(lambda: [loop.extract(file) for file in files])

    plain()
    our_time, plain_time = medians(ours, plain, rounds=rounds)
    return at_least("extraction", plain_time / our_time, 0.95)


def report_cores(folder: Path, upstream: str, manifest: Path, rounds: int) -> list[str]:
    """Measure two cores against one, and beside another program against alone."""
    models, numbers, threads = ModelCache("cpu"), count(), torch.get_num_threads()
    job = make_job(upstream, manifest, Store(folder / "cores"))
    models.open(job.extraction.alone)

    def on_cores(number: int) -> float:
        store = Store(folder / f"cores-{next(numbers)}")
        torch.set_num_threads(number)
        return seconds(lambda: fill(job, store, models))

    def beside_another() -> float:
        with busy():
            return on_cores(2)

    on_cores(1)
    one, two, shared = medians(
        lambda: on_cores(1), lambda: on_cores(2), beside_another, rounds=rounds
    )
    torch.set_num_threads(threads)
    return [
        at_least("extraction-two-cores", one / two, 1.7),
        at_least("extraction-neighbour", two / shared, 0.45),
    ]


@contextmanager
def busy() -> Iterator[None]:
    """Keep one core busy."""
    process = subprocess.Popen(SPIN)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def report_memory(folder: Path, model: Path, few: int, many: int) -> str:
    """Measure the peak memory of two processes, for few clips and for many."""
    peaks = []
    for clips in (few, many):
        store = folder / f"store-{clips}"
        manifest = write_clips(folder / f"clips-{clips}", clips, SHORT)
        command = [sys.executable, __file__, *map(str, (model, manifest, store))]
        process = subprocess.run(
            command, env=SMALL_CACHE, check=True, stdout=subprocess.PIPE
        )
        peaks.append(int(process.stdout))
    return at_most("extraction-memory", peaks[1] / peaks[0], 1.15)


def peak_of(model: Path, manifest: Path, folder: Path) -> int:
    """Extract the clips of a manifest; return the peak memory of this process."""
    store = Store(folder)
    fill(make_job(wav2vec2(model), manifest, store), store, ModelCache("cpu"))
    peak = peak_memory()
    assert peak is not None, "this system does not measure the peak of a process"
    return peak


def report(folder: Path) -> list[str]:
    """Measure both, and return the lines to print."""
    model = save_model(folder / "model")
    # Memory first: a new process counts the peak of its parent as its own.
    memory = report_memory(folder, model, FEW, MANY)
    manifest = write_clips(folder / "clips", CLIPS, LENGTHS)
    rate = report_rate(folder, model, manifest, ROUNDS)
    few = write_clips(folder / "shared", SHARED, LENGTHS)
    return [rate, memory, *report_cores(folder, whisper_or(model), few, SHARED_ROUNDS)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(peak_of(*map(Path, sys.argv[1:])))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            print(*report(Path(temporary)), sep="\n")
