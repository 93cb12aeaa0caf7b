import csv
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import PREDICTIONS, Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.sources import read_pooled
from nserbench.corpora.demo import demo
from nserbench.downstreams.base import DownstreamCard, Tier
from nserbench.downstreams.pooling import mean_over_time
from nserbench.settings import Settings
from nserbench.upstreams.base import LayeredFeatures

Ask = Callable[..., Study]


def predictions_of(result: Result) -> Predictions:
    assert result.predictions is not None, result.reason
    return result.predictions


def shuffle(manifest: Path) -> dict[str, dict[str, str]]:
    """Shuffle the rows of a manifest; return them by id."""
    header, *lines = manifest.read_text().splitlines()
    random.Random(0).shuffle(lines)
    manifest.write_text("\n".join([header, *lines]))
    return {row["id"]: row for row in csv.DictReader([header, *lines])}


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_predictions_hold_each_utterance_once_with_its_label_and_speaker(
    ask: Ask, runner: Runner, notes: Path, result_of: Any, head: str
) -> None:
    rows = shuffle(notes)

    runner.run(ask(downstreams=[head]))

    found = predictions_of(result_of(runner))
    assert sorted(found.utterances) == sorted(rows)
    for place, name in enumerate(found.utterances):
        assert found.classes[found.labels[place]] == rows[name]["label"]
        assert found.speakers[place] == rows[name]["speaker"]
        assert found.folds[place] == rows[name]["fold"]
    assert (found.predicted == found.probabilities.argmax(axis=1)).all()


class Loudness(nn.Module):
    """A head that learns nothing: the louder, the likelier the first class."""

    def __init__(self, groups: object, classes: int, options: object) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, features: LayeredFeatures) -> torch.Tensor:
        group = features["mel"]
        mean = mean_over_time(group.states[-1], group.lengths).mean(dim=1)
        return torch.stack([10 * mean + 75, self.unused.expand_as(mean) * 0], dim=1)


@pytest.mark.parametrize("tier", ["pooled", "frames"])
def test_probabilities_belong_to_the_utterance_of_their_row(
    prepared: Callable[..., list[Job]],
    ask: Ask,
    runner: Runner,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    notes: Path,
    result_of: Any,
    tier: Tier,
) -> None:
    shuffle(notes)
    card = DownstreamCard(
        name="loud",
        summary="",
        source="",
        licence="",
        load=offer("Loudness", Loudness),
        tier=tier,
    )
    plugins.downstreams.add(card, "the test")
    said = {"downstreams": ["loud"], "protocol": "paper"}

    runner.run(ask(**said))

    (job,) = prepared(**said)
    features = job.extraction.features(runner.store)
    loudness = read_pooled(features, job.keys, "mel", range(1))
    wanted = 1 / (1 + np.exp(-10 * loudness[0].mean(axis=1) - 75))
    place = {clip.utterance.id: row for row, clip in enumerate(job.clips)}
    found = predictions_of(result_of(runner))
    np.testing.assert_allclose(
        found.probabilities[:, 0],
        wanted[[place[name] for name in found.utterances]],
        atol=2e-3,
    )
    assert wanted.std() > 0.05


def test_low_and_high_notes_of_new_speakers_are_classified(
    ask: Ask, runner: Runner
) -> None:
    runner.run(ask(downstreams=["mean,fc"], epochs=60))

    for result in read_results(runner.results):
        assert summarise(predictions_of(result), draws=2)["uar"].mean > 0.9


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob(PREDICTIONS))
    }


def test_the_same_command_writes_the_same_bytes_and_another_seed_others(
    ask: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path
) -> None:
    said = {"downstreams": ["mean,fc,bigru"], "noises": ["clean", "hiss"]}
    found = []
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        torch.manual_seed(len(name))
        runner = runner_in(tmp_path / name)
        runner.run(ask(**said, seeds=[seed]))
        found.append(files(runner.results))

    one, same, other = found
    assert len(one) == 6
    assert one == same
    assert not set(one.values()) & set(other.values())


def test_a_grid_run_in_pieces_writes_the_same_bytes_as_the_whole(
    ask: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path
) -> None:
    whole, pieces = (runner_in(tmp_path / name) for name in ("whole", "pieces"))
    whole.run(ask(downstreams=["mean,bigru"], seeds=[0, 1]))

    pieces.run(ask(limit=10))
    pieces.run(ask(downstreams=["bigru"], seeds=[1]))
    pieces.run(ask(downstreams=["mean,bigru"], seeds=[1, 0]))

    wanted, found = files(whole.results), files(pieces.results)
    assert len(wanted) == 4
    assert wanted.items() <= found.items()


@pytest.fixture
def uars(ask: Ask, runner: Runner) -> Callable[..., dict[str, float]]:
    """Return a function from corpora to the UAR in each condition, mel x mean."""

    def run(corpora: Sequence[str]) -> dict[str, float]:
        runner.run(ask(corpora=corpora, protocol="demo", epochs=None))
        return {
            one.condition: summarise(predictions_of(one), draws=2)["uar"].mean
            for one in read_results(runner.results)
        }

    return run


def test_noise_lowers_the_uar_on_the_demo_corpus(
    uars: Callable[..., dict[str, float]],
) -> None:
    found = uars(["demo,demo-human"])

    assert 0.60 <= found["clean"] <= 0.95
    assert found["human@0"] <= found["clean"] - 0.05


def test_shuffled_labels_score_at_chance_level_on_the_demo_corpus(
    uars: Callable[..., dict[str, float]],
    write_manifest: Callable[..., Path],
    tmp_path: Path,
) -> None:
    corpus = demo.load({}, Settings())
    labels = [one.label for one in corpus.utterances]
    random.Random(0).shuffle(labels)
    dealt = dict(zip((one.id for one in corpus.utterances), labels, strict=True))
    manifest = write_manifest(
        tmp_path / "shuffled.csv", corpus.utterances, label=lambda one: dealt[one.id]
    )

    found = uars([f"manifest:path={manifest}"])

    # Chance is 25 %; over 320 utterances three standard errors are 7 points.
    assert 0.17 <= found["clean"] <= 0.33


def test_a_result_holds_its_provenance_and_settings(
    ask: Ask, runner: Runner, result_of: Any, hiss: Path
) -> None:
    study = ask(noises=["hiss"])

    runner.run(study)

    found = result_of(runner)
    (opened,) = study.corpora.values()
    assert found.provenance["noise"] == opened.noises["hiss"].digest
    assert found.provenance["device"] == "cpu"
    assert found.provenance["weights"] is None
    assert found.protocol_details["recipe"] == {
        "epochs": 2,
        "batch_size": 32,
        "learning_rate": 1e-2,
        "standardise": True,
        "class_weights": True,
        "label_smoothing": 0.0,
        "schedule": "cosine",
        "precision": "fp32",
    }
    assert found.costs["trainable_parameters"] == 80 * 2 + 2
    assert found.costs["frozen_parameters"] == 0
    training = found.notes["training"]
    assert set(training) == {"0", "1"}
    for seen in training.values():
        assert (len(seen["losses"]), len(seen["accuracies"])) == (2, 2)


def test_costs_are_those_of_the_utterances_of_a_cell(
    ask: Ask, runner: Runner, result_of: Any
) -> None:
    runner.run(ask(limit=8))
    alone = result_of(runner).costs
    shutil.rmtree(runner.results)

    runner.run(ask())
    shutil.rmtree(runner.results)
    runner.run(ask(limit=8, epochs=3))

    for cost in ("store_bytes", "extraction_seconds"):
        assert result_of(runner).costs[cost] == alone[cost]


def test_the_time_of_a_cell_has_the_training_that_it_shared_with_others(
    ask: Ask, runner: Runner
) -> None:
    runner.run(ask(downstreams=["mean", "mean:dropout=0.1"], epochs=200))

    for result in read_results(runner.results):
        training = result.costs["training_seconds"]
        assert training is not None
        assert (result.costs["seconds"] or 0) >= training > 0
