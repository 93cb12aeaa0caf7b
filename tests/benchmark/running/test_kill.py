"""A kill at any instant loses the work in progress, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from notes import write_corpus

from nserbench.benchmark.results.predictions import read_csv
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.store.feature_store import Store
from nserbench.cli import main

PLUGIN = '''
import os, signal
from collections import Counter

import torch
import nserbench as nb

CARD = {"summary": "", "source": "", "licence": ""}
SEEN = Counter()


def do(what, name=""):
    """Log a step, and kill this process if the step is the chosen one."""
    SEEN[what] += 1
    with open(os.environ["MORTAL_LOG"], "a") as log:
        log.write(f"{what} {name}\\n")
    if os.environ.get("MORTAL_DIES_AT") == f"{what} {SEEN[what]}":
        os.kill(os.getpid(), signal.SIGKILL)


class Model(nb.Upstream):
    def forward(self, batch):
        (name,), (wave,) = batch.ids, batch.waves
        do("extracted", name)
        frames = torch.as_tensor(wave).unfold(0, 160, 160)
        states = torch.stack([frames.std(1), frames.amax(1), frames.diff().std(1)], 1)
        return {"only": nb.LayerGroup(states[None, None], torch.tensor([len(states)]))}


class Head(torch.nn.Module):
    def __init__(self, groups, classes, options):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 32), torch.nn.ReLU(), torch.nn.Dropout(0.5),
            torch.nn.Linear(32, classes),
        )

    def forward(self, features):
        if self.training:
            do("trained")
        return self.layers(features["only"].states[-1, :, 0])


if os.environ.get("MORTAL_DIES_AT", "").startswith("synced"):
    sync = os.fsync

    def fsync(descriptor):
        do("synced")
        sync(descriptor)

    os.fsync = fsync


@nb.hookimpl
def nserbench_upstreams():
    groups = {"only": nb.GroupSpec(range(1, 2), 3, 100.0)}
    return [nb.UpstreamCard(name="mortal", load="mortal:Model", groups=groups, **CARD)]


@nb.hookimpl
def nserbench_downstreams():
    return [nb.DownstreamCard(name="mortal", load="mortal:Head", **CARD)]
'''
CLIPS, SHARD = 80, 32
FORWARDS = 2 * 3  # of a fold: 40 utterances in batches of 32, 3 epochs


@dataclass
class Place:
    """A store and results, the command that fills them, and the log of its steps."""

    folder: Path
    words: list[str]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def steps(self, what: str) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(what)]

    def command(self) -> list[str]:
        folders = ["--store", f"{self.folder}/store", "--out", f"{self.folder}/results"]
        return ["run", *self.words, *folders, "--device", "cpu", "--json"]

    def run_until(self, step: str) -> int:
        """Run the command in a process that dies at a step; return its exit code."""
        variables = {"MORTAL_LOG": str(self.log), "MORTAL_DIES_AT": step}
        return subprocess.run(
            [sys.executable, "-m", "nserbench", *self.command()],
            env={**os.environ, **variables},
            capture_output=True,
        ).returncode

    def run(self) -> dict[str, int]:
        """Run the command to its end, with a new log; return the outcomes."""
        self.log.unlink(missing_ok=True)
        variables = {"MORTAL_LOG": str(self.log)}
        found = CliRunner().invoke(main, self.command(), env=variables)
        assert found.exit_code == 0, found.output
        outcomes: dict[str, int] = json.loads(found.stdout)["outcomes"]
        return outcomes

    def same_answers_as(self, other: "Place") -> None:
        for file in sorted((other.folder / "results").glob(f"*/{PREDICTIONS}")):
            ours = read_csv(self.folder / "results" / file.parent.name / PREDICTIONS)
            theirs = read_csv(file)
            assert ours.utterances == theirs.utterances
            np.testing.assert_array_equal(ours.predicted, theirs.predicted)
            np.testing.assert_allclose(
                ours.probabilities, theirs.probabilities, rtol=0, atol=1e-5
            )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    folder = tmp_path_factory.mktemp("kills")
    plugin = folder / "mortal.py"
    plugin.write_text(PLUGIN)
    notes = write_corpus(folder / "notes", takes=10)
    names = ["-u", "mortal", "-d", "mortal", "-c", f"manifest:path={notes}"]
    how = ["--plugin", str(plugin), "--epochs", "3", "--seeds", "2"]

    def make(name: str) -> Place:
        (folder / name).mkdir()
        return Place(folder / name, [*names, *how])

    return make


@pytest.fixture(scope="module")
def undisturbed(place: Callable[[str], Place]) -> Place:
    found = place("undisturbed")
    assert found.run() == {"done": 2}
    assert len(found.steps("extracted")) == CLIPS
    assert len(found.steps("trained")) == 4 * FORWARDS
    return found


@dataclass
class Left:
    """What there is after a kill."""

    shards: int
    fits: int
    results: int


# The files are synced in this order: the lease, about.json, three shards, the heads of
# two folds, then the predictions, the result and the folders of the first cell.
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("extracted 50", Left(shards=1, fits=0, results=0)),
        pytest.param(
            "synced 4", Left(shards=1, fits=0, results=0), marks=pytest.mark.slow
        ),
        (f"trained {3 * FORWARDS + 2}", Left(shards=3, fits=3, results=1)),
        ("synced 9", Left(shards=3, fits=2, results=0)),
    ],
)
def test_after_a_kill_the_same_command_does_only_what_is_missing(
    place: Callable[[str], Place], undisturbed: Place, step: str, left: Left
) -> None:
    killed = place(f"killed when it {step}")

    assert killed.run_until(step) == -signal.SIGKILL

    store = Store(killed.folder / "store")
    (features,) = store.all_features()
    assert left == Left(
        shards=len(features.shards("pooled")),
        fits=len(store.fits()),
        results=len(read_results(killed.folder / "results")),
    )
    finished = set(killed.steps("extracted")[: left.shards * SHARD])

    outcomes = killed.run()

    assert outcomes.get("already there", 0) == left.results
    assert outcomes["done"] == 2 - left.results
    extracted = killed.steps("extracted")
    assert len(extracted) == CLIPS - len(finished)
    assert not finished & set(extracted)
    assert len(killed.steps("trained")) == (4 - left.fits) * FORWARDS
    killed.same_answers_as(undisturbed)


@pytest.mark.slow
def test_a_kill_at_any_write_loses_nothing_else(
    place: Callable[[str], Place], undisturbed: Place
) -> None:
    ended, number = -signal.SIGKILL, 0
    while ended == -signal.SIGKILL:
        number += 1
        killed = place(f"killed {number}")
        ended = killed.run_until(f"synced {number}")
        killed.run()
        killed.same_answers_as(undisturbed)
        assert len(read_results(killed.folder / "results")) == 2

    assert ended == 0
    assert number > 15
