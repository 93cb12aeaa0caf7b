"""Time of a whole cell, against running the upstream in every step as S3PRL does.

Both sides use the encoder of the same Whisper, of the size of tiny, and the same head.
The other side is written with transformers and torch alone: in every step the log-mel
spectra, the encoder of a padded batch without gradients, and the head, whose GRUs are
torch's own over packed sequences. It reads its audio before the time is measured.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
import torch
from _clips import CLASSES, FOLDS, RATE, study_of, write_clips
from _measure import at_least, at_most, medians, seconds
from _whisper import TINY, save_whisper
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store import feature_store
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.shards import check_shard
from nserbench.downstreams import ladapter
from nserbench.progress import Silent
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

CLIPS, LENGTHS = 40, (1.0, 5.0)  # seconds; a fold trains on 32 of them, one batch
SAMPLES_A_FRAME = 320
EPOCHS = 50
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Head:
    """A head to be compared.

    Attributes:
        name: Name on the command line.
        epochs: Epochs of the timed training. The time of the whole cell is scaled to
            `EPOCHS`, which also multiplies what a cell does once.
        bar: Least ratio of S3PRL's time to ours.
    """

    name: str
    epochs: int
    bar: float


HEADS = (Head("weighted-sum", EPOCHS, 100), Head("ladapter", 6, 8))


class PlainEncoder:
    """The layers of Whisper's encoder, as one would take them with transformers alone.

    Args:
        model: Folder of the checkpoint.
    """

    def __init__(self, model: Path) -> None:
        import transformers as lib

        self.mel = lib.WhisperFeatureExtractor()
        self.encoder = lib.WhisperModel.from_pretrained(model).eval().encoder

    @torch.no_grad()
    def layers(self, waves: Sequence[NDArray[np.float32]]) -> LayerGroup:
        """Return all layers of a batch, cut to its longest utterance."""
        mel = self.mel(waves, sampling_rate=RATE, return_tensors="pt")
        found = self.encoder(mel.input_features, output_hidden_states=True)
        lengths = torch.tensor([-(-len(wave) // SAMPLES_A_FRAME) for wave in waves])
        states = torch.stack(found.hidden_states)[:, :, : int(lengths.max())]
        return LayerGroup(states, lengths)


def adapt_plainly(adapters: nn.ModuleList, states: Tensor, lengths: Tensor) -> Tensor:
    """Return what `adapt_layers` does, with torch's own GRU."""
    each = zip(adapters, states, strict=True)
    return torch.stack([adapter(layer, lengths) for adapter, layer in each])


class Bench:
    """The clips, the Whisper and the timed steps.

    Args:
        folder: Empty folder for all files.
        clips: Number of clips.
        size: Settings of the Whisper's configuration that differ from the default.
    """

    def __init__(self, folder: Path, clips: int, **size: int) -> None:
        self.folder = folder
        model = save_whisper(folder / "model", **size)
        self.upstream = f"whisper:checkpoint={model}"
        self.encoder = PlainEncoder(model)
        self.manifest = write_clips(folder / "clips", clips, LENGTHS)
        self.store = Store(folder / "store")
        self.models = ModelCache("cpu")
        self._runs = 0

    def job(self, head: Head, store: Store) -> Job:
        """Return the job of a head's cell."""
        names = [f"{head.name}:groups=encoder"]
        study = study_of(self.upstream, names, self.manifest, head.epochs)
        return prepare(study, store, Silent())[0]

    def extract(self) -> float:
        """Extract what the heads read into a new store; return the seconds."""
        self._runs += 1
        self.store = Store(self.folder / f"store-{self._runs}")
        jobs = [self.job(head, self.store) for head in HEADS]
        self.models.open(jobs[0].extraction.alone)
        needs = [named.need for named in Needs(jobs, self.store)]

        def extract() -> None:
            for need in needs:
                extract_missing(need, self.store, self.models, Silent())

        return seconds(extract)

    def checks(self, head: Head) -> float:
        """Return the share of a cell's time that checks of stored files take."""
        spent = 0.0

        def timed(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any) -> Any:
                nonlocal spent
                began = time.perf_counter()
                try:
                    return call(*args)
                finally:
                    spent += time.perf_counter() - began

            return wrapped

        with (
            patch.object(feature_store, "check_shard", timed(check_shard)),
            patch.object(Store, "holds", timed(Store.holds)),
        ):
            whole = self.train(head) * head.epochs / EPOCHS
        return spent / whole

    def train(self, head: Head) -> float:
        """Run the cell on stored features; return the seconds for `EPOCHS` epochs."""
        self._runs += 1
        names = [f"{head.name}:groups=encoder"]
        study = study_of(self.upstream, names, self.manifest, head.epochs, self._runs)
        results = self.folder / "results"
        plugins = Plugins(installed=False)
        # A new store checks its files again, as a new process does.
        store = Store(self.store.root)
        runner = Runner(store, results, plugins, "cpu", Silent())
        outcomes: Counter[str] = Counter()
        spent = seconds(lambda: outcomes.update(runner.run(study).outcomes))
        if not outcomes["done"]:
            raise RuntimeError(f"{head.name} did not train: {dict(outcomes)}")
        return spent * EPOCHS / head.epochs

    def steps(self, head: Head) -> float:
        """Time one step as S3PRL takes it; return the seconds of the whole cell."""
        job = self.job(head, self.store)
        clips = job.clips[len(job.clips) // FOLDS :]
        waves = [_wave(clip) for clip in clips]
        bound = job.cell.downstream
        module = bound.card.build(job.cell.groups, len(CLASSES), bound.options).train()
        optimiser = torch.optim.Adam(module.parameters(), lr=1e-4)
        labels = torch.tensor([CLASSES.index(clip.utterance.label) for clip in clips])

        def step() -> None:
            logits = module(_read(job, {"encoder": self.encoder.layers(waves)}))
            optimiser.zero_grad()
            F.cross_entropy(logits, labels).backward()
            optimiser.step()

        with patch.object(ladapter, "adapt_layers", adapt_plainly):
            return seconds(step) * EPOCHS * FOLDS


def _wave(clip: Clip) -> NDArray[np.float32]:
    wave: NDArray[np.float32] = soundfile.read(clip.utterance.path, dtype="float32")[0]
    return wave


def _read(job: Job, features: LayeredFeatures) -> LayeredFeatures:
    """Return the layers that the head of a job reads."""
    layers = {}
    for name, rows in job.layers.items():
        group = features[name]
        layers[name] = LayerGroup(group.states[rows.start : rows.stop], group.lengths)
    return layers


def report(bench: Bench, rounds: int) -> list[str]:
    """Measure every head, and return the lines to print."""
    measures: list[Callable[[], float]] = [bench.extract]
    for head in HEADS:
        measures += [partial(bench.train, head), partial(bench.steps, head)]
    extraction, *times = medians(*measures, rounds=rounds)
    lines = [
        at_least(f"cell-{head.name}", theirs / (extraction + ours), head.bar)
        for head, ours, theirs in zip(HEADS, times[::2], times[1::2], strict=True)
    ]
    shares = medians(*(partial(bench.checks, head) for head in HEADS), rounds=rounds)
    return [*lines, at_most("cell-checks", max(shares), 0.03)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(*report(Bench(Path(folder), CLIPS, **TINY), ROUNDS), sep="\n")
