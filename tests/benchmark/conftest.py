"""A small corpus on disk, an upstream that counts, and studies over them."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from notes import HOP, write_corpus, write_noise
from torch.nn.utils.rnn import pad_sequence

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.need import Need, entries_of
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Features, Store
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.corpora.readers.manifest_rows import OPTIONAL
from nserbench.progress import Silent
from nserbench.settings import Settings
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
    UpstreamCard,
)
from nserbench.upstreams.groups import GroupSpec


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Return the manifest of 24 clips: 4 speakers in 2 folds, 2 classes."""
    return write_corpus(tmp_path / "notes")


@pytest.fixture
def make_notes() -> Callable[..., Path]:
    """Return the function that writes a corpus, to write a larger one."""
    return write_corpus


@pytest.fixture
def hiss(tmp_path: Path) -> Path:
    """Return an audio file of noise."""
    return write_noise(tmp_path / "hiss.wav")


@pytest.fixture
def make_hiss() -> Callable[..., Path]:
    """Return the function that writes noise, to write another one."""
    return write_noise


@pytest.fixture
def plugins() -> Plugins:
    """Return the built-in plugins, to which a test may add its own cards."""
    return Plugins(installed=False)


class Levels(Upstream):
    """Four levels of each 10 ms as three layers, and two of them as a second group."""

    heard: ClassVar[list[str]] = []

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the groups ``wide`` and ``flat``, and note ids of utterances."""
        Levels.heard += batch.ids
        frames = [torch.as_tensor(wave).unfold(0, HOP, HOP) for wave in batch.waves]
        levels = pad_sequence(
            [
                torch.stack([one.mean(1), one.std(1), one.amin(1), one.amax(1)], 1)
                for one in frames
            ],
            batch_first=True,
        )
        lengths = torch.tensor([len(one) for one in frames])
        wide = torch.stack([levels, 2 * levels + 1, levels.square()])
        return {
            "wide": LayerGroup(wide, lengths),
            "flat": LayerGroup(levels[None, :, :, 1:3], lengths),
        }


Offer = Callable[[str, object], str]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function that makes an object importable, for a card's ``load``."""
    module = ModuleType("offered")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def put(name: str, thing: object) -> str:
        setattr(module, name, thing)
        return f"{module.__name__}:{name}"

    return put


@pytest.fixture
def levels(plugins: Plugins, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Add the upstream ``levels``; return its ``card`` and the ids it ``heard``."""
    heard: list[str] = []
    monkeypatch.setattr(Levels, "heard", heard)
    card = UpstreamCard(
        name="levels",
        summary="",
        source="",
        licence="",
        load=offer("Levels", Levels),
        groups={
            "wide": GroupSpec(range(3), dim=4, rate=100.0),
            "flat": GroupSpec(range(1, 2), dim=2, rate=100.0),
        },
        min_samples=HOP,
    )
    plugins.upstreams.add(card, "the test")
    return SimpleNamespace(card=card, heard=heard)


@pytest.fixture
def ask(notes: Path, hiss: Path, plugins: Plugins) -> Callable[..., Study]:
    """Return a function that makes a study, by default of mel x mean on the notes."""

    def make(**said: Any) -> Study:
        noises = said.pop("named", {"hiss": hiss})
        plain: dict[str, Any] = {
            "upstreams": ["mel"],
            "downstreams": ["mean"],
            "corpora": [f"manifest:path={notes}"],
            "epochs": 2,
        }
        return make_study(Request(**plain | said), plugins, Settings(noises=noises))

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture
def prepared(ask: Callable[..., Study], store: Store) -> Callable[..., list[Job]]:
    """Return a function that makes the jobs of a study that `ask` would make."""

    def make(**said: Any) -> list[Job]:
        return prepare(ask(**said), store, Silent())

    return make


@pytest.fixture
def fill() -> Callable[[Job, Store], Features]:
    """Return a function that extracts what a job lacks, pooled and frames."""

    def go(job: Job, store: Store) -> Features:
        extraction = job.extraction.alone
        entries = entries_of(extraction, ["pooled", "frames"])
        need = Need.of(extraction, job.clips, entries)
        extract_missing(need, store, ModelCache("cpu"), Silent())
        return store.features(job.extraction.identity)

    return go


@pytest.fixture
def runner_in(plugins: Plugins) -> Callable[[Path], Runner]:
    """Return a function that makes a runner whose store and results are in a folder."""

    def make(folder: Path) -> Runner:
        store = Store(folder / "store")
        return Runner(store, folder / "results", plugins, "cpu", Silent())

    return make


@pytest.fixture
def runner(tmp_path: Path, runner_in: Callable[[Path], Runner]) -> Runner:
    """Return a runner with a store and results of its own."""
    return runner_in(tmp_path)


@pytest.fixture
def write_manifest() -> Callable[..., Path]:
    """Return a function that writes utterances as a manifest, whatever their folder."""

    def write(file: Path, utterances: Any, **columns: Callable[[Any], object]) -> Path:
        names = ["path", "label", "speaker", *OPTIONAL]
        with file.open("w", newline="") as stream:
            table = csv.DictWriter(stream, names)
            table.writeheader()
            for one in utterances:
                row = {name: getattr(one, name) for name in names}
                row |= {name: find(one) for name, find in columns.items()}
                table.writerow(row)
        return file

    return write


@pytest.fixture
def result_of() -> Callable[[Runner], Result]:
    """Return a function that reads the one result of a runner."""

    def read(runner: Runner) -> Result:
        (result,) = read_results(runner.results)
        return result

    return read


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[Statistics]:
    """Return a list to which the statistics of each head's input are added."""
    found: list[Statistics] = []
    scales = Moments.scales

    def noted(self: Moments) -> dict[str, float]:
        found.append(self.statistics())
        return scales(self)

    monkeypatch.setattr(Moments, "scales", noted)
    return found
