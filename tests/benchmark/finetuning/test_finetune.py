"""How an upstream is fine-tuned: steps, epochs, devices, and what a result says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as lib
from elsewhere import elsewhere
from safetensors.torch import load_file
from torch import nn
from tuned import FAST, probabilities, weights_of
from values import not_none

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.finetuning import audio_batches as waves
from nserbench.benchmark.jobs.fit import open_sources
from nserbench.benchmark.jobs.head import class_numbers, fresh_head, load_head
from nserbench.benchmark.jobs.job import Fit
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.feature_statistics import Statistics
from nserbench.corpora.noise.mixing import add_noise
from nserbench.downstreams.kernels.mask_dropout import Dropout
from nserbench.errors import BadSpec, NothingToRun
from nserbench.progress import Silent
from nserbench.upstreams.base import Batch

Ask = Callable[..., Study]


def accuracies(result: Result) -> list[float]:
    """Return the training accuracy of each fold after the last epoch."""
    seen: Any = result.notes["training"]
    return [one["accuracies"][-1] for one in seen.values()]


@pytest.mark.slow
def test_a_fine_tuned_upstream_fits_what_its_head_alone_does_not(
    result: Callable[..., Result],
) -> None:
    # The learning rate of the fine-tuned head, for the head alone as well.
    said = {"protocol": f"{FAST}+learning_rate=0.001", "limit": None, "epochs": 30}
    alone = result(**said)
    tuned = result("finetune=joint", "lr=1e-3", **said)

    assert max(accuracies(alone)) < 0.8
    assert min(accuracies(tuned)) > 0.95


def test_fine_tuned_weights_change_and_frozen_ones_do_not(
    study: Ask, runner: Runner
) -> None:
    asked = study("finetune=last")
    runner.run(asked)

    (job,) = prepare(asked, runner.store, Silent())
    before = weights_of(job, ModelCache("cpu"))
    for fold in job.folds(runner.store):
        after = weights_of(fold, ModelCache("cpu"))
        moved = {name for name, one in after.items() if not one.equal(before[name])}
        assert moved
        assert not any("feature_extractor" in name for name in moved)
        for block in range(3):
            assert any(name.startswith(f"encoder.layers.{block}.") for name in moved)
    first, second = runner.store.tuned()
    assert "encoder.layers.0.attention.k_proj.weight" in load_file(first)
    assert not any("feature_extractor" in name for name in load_file(first))
    assert first.read_bytes() != second.read_bytes()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn dropout in heads off."""
    monkeypatch.setattr(Dropout, "forward", lambda self, values: values)


@pytest.mark.usefixtures("still")
def test_the_steps_are_those_of_a_plain_loop(
    study: Ask, runner: Runner, checkpoint: Path
) -> None:
    asked = study("finetune=last", "lr=1e-3", protocol="paper+batch_size=64", epochs=3)
    (job,) = prepare(asked, runner.store, Silent())
    split, labels = job.splits[0], class_numbers(job)
    assert job.tuning is not None
    head = fresh_head(Fit(job.tuning.joint, split), None)
    (linear,) = [one for one in head.modules() if isinstance(one, nn.Linear)]
    model: Any = lib.Wav2Vec2Model.from_pretrained(
        checkpoint, mask_time_prob=0.0, layerdrop=0.0
    )
    model.freeze_feature_encoder()
    model.train()
    own = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(
        [{"params": own, "lr": 1e-3}, {"params": linear.parameters(), "lr": 1e-4}]
    )
    extractor = lib.Wav2Vec2FeatureExtractor()
    losses = []
    for _ in range(3):
        logits = []
        for row in split.train:
            wave = job.extraction.alone.wave(job.clips[row])
            values = extractor(wave, sampling_rate=16_000, return_tensors="pt")
            logits.append(linear(model(**values).last_hidden_state.mean(1)))
        wanted = labels[list(split.train)]
        loss = nn.functional.cross_entropy(torch.cat(logits), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    runner.run(asked)

    (result,) = read_results(runner.results)
    seen: Any = result.notes["training"]
    assert seen[split.fold]["losses"] == pytest.approx(losses, rel=1e-4)
    assert losses[2] < losses[0]


@pytest.mark.usefixtures("still")
def test_the_parts_of_a_batch_add_up_to_it(
    study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path, monkeypatch: Any
) -> None:
    asked = study("finetune=last", protocol=f"{FAST}+class_weights=yes")

    def seen(name: str) -> Any:
        runner = runner_in(tmp_path / name)
        runner.run(asked)
        (result,) = read_results(runner.results)
        return result.notes["training"]

    whole = seen("whole")
    monkeypatch.setattr(waves, "MAX_SAMPLES", 1)
    one_by_one = seen("one by one")

    for fold, told in whole.items():
        for what in ("losses", "gradients"):
            assert one_by_one[fold][what] == pytest.approx(told[what], rel=1e-3)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta")
def test_an_upstream_is_fine_tuned_on_another_device_as_here(
    study: Ask,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = runner_in(tmp_path / "here")
    here.run(study("finetune=last"))

    with elsewhere(monkeypatch) as device:
        there = runner_in(tmp_path / "there")
        there.device = device
        there.run(study("finetune=last"))

    (one,), (other,) = read_results(here.results), read_results(there.results)
    assert other.reason is None
    np.testing.assert_allclose(probabilities(other), probabilities(one), atol=1e-3)


def test_the_best_epoch_on_the_dev_set_makes_the_predictions(
    result: Callable[..., Result],
) -> None:
    protocol = "probe+batch_size=4+oracle"
    found = result("finetune=last", "lr=1e-3", protocol=protocol, epochs=6, limit=24)

    seen: Any = found.notes["training"]
    assert found.predictions is not None
    folds = summarise(found.predictions)["uar"].folds
    # The dev set is the test set, so that the best UAR is the reported one.
    for fold, told in seen.items():
        assert folds[fold] == pytest.approx(max(told["dev"]))
    assert any(told["dev"][-1] < max(told["dev"]) for told in seen.values())


def test_a_head_fine_tuned_with_its_upstream_predicts_as_both_together(
    study: Ask, runner: Runner
) -> None:
    asked = study("finetune=last")
    runner.run(asked)
    (job,), (result,) = (
        prepare(asked, runner.store, Silent()),
        read_results(runner.results),
    )

    split = job.splits[0]
    fold = job.fold(split, runner.store)
    model = ModelCache("cpu").open(fold.extraction.alone).upstream
    source = open_sources(fold, runner.store).training
    rows = torch.tensor(split.train)
    fit = Fit(fold, split)
    head = fresh_head(fit, source.statistics(rows))
    load_head(fit.file(runner.store), head)
    head.eval()
    batch = Batch.of(
        *(fold.extraction.alone.wave(fold.clips[row]) for row in split.test)
    )
    features = model.extract(batch)
    last = features["encoder"].states[-1:]
    group = type(features["encoder"])(last, features["encoder"].lengths)
    with torch.no_grad():
        expected = head({"encoder": group}).double().softmax(1).numpy()
    np.testing.assert_allclose(
        probabilities(result)[: len(expected)], expected, atol=1e-5
    )


@pytest.mark.parametrize("head", ["bigru", "last"])
def test_a_head_fine_tuned_with_its_upstream_receives_z_scored_features(
    study: Ask, runner: Runner, received: list[Statistics], head: str
) -> None:
    # The learning rate is so small that the upstream does not change.
    runner.run(study(f"finetune={head}", "lr=1e-12", downstreams=[head], epochs=1))

    for groups in received[:2]:  # the fine-tunings of both folds
        mean, deviation = groups["encoder"]
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-3, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(mean), atol=1e-3, rtol=0)


def test_an_upstream_is_fine_tuned_only_in_the_noise_of_each_fold(
    study: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(
        "finetune=last",
        corpora=["demo-park"],
        protocol=f"{FAST}+noise_split=disjoint",
    )
    (opened,) = asked.corpora.values()
    folds = {one.id: one.fold for one in opened.corpus.utterances}
    length = opened.noises["park"].samples
    assert length is not None
    heard: set[tuple[str, int]] = set()

    def forward_and_transcribe(
        speech: Any, noise: Any, name: str, snr: float, seed: int
    ) -> Any:
        mixed = add_noise(speech, noise, name, snr, seed)
        heard.add((folds[name], mixed.offset * len(opened.corpus.folds) // length))
        return mixed

    monkeypatch.setattr(
        "nserbench.benchmark.extraction.identity.add_noise", forward_and_transcribe
    )

    report = runner.run(asked)

    assert report.outcomes["done"] == 1
    assert heard == {(fold, at) for at, fold in enumerate(opened.corpus.folds)}


def test_a_result_says_what_was_fine_tuned(
    result: Callable[..., Result], checkpoint: Path
) -> None:
    found = result("finetune=last", "lr=5e-4")

    whole: Any = lib.Wav2Vec2Model.from_pretrained(checkpoint, mask_time_prob=0.0)
    front = sum(one.numel() for one in whole.feature_extractor.parameters())
    costs = found.costs
    assert costs["frozen_parameters"] == front
    total = sum(one.numel() for one in whole.parameters())
    assert costs["trainable_parameters"] == total - front + 64 * 4 + 4
    assert not_none(costs["tuning_seconds"]) > 0
    assert costs["training_seconds"] == 0  # the head learned in the fine-tuning
    assert not_none(costs["seconds"]) >= not_none(costs["tuning_seconds"])
    said: Any = found.notes["tuning"]
    assert said["learning_rate"] == 5e-4
    assert said["frozen"] == ["feature_extractor"]
    seen: Any = found.notes["training"]
    assert len(seen["1"]["gradients"]) == 2
    assert all(norm > 0 for norm in seen["1"]["gradients"])


def test_a_fine_tuning_that_diverges_stops_at_once_and_says_what_to_do(
    result: Callable[..., Result],
) -> None:
    found = result("finetune=last", protocol="paper+learning_rate=3e37", epochs=9)

    assert found.status == "failed"
    assert re.search("diverged: .*, fold 1: the .* of epoch [12] is", str(found.reason))
    assert "upstream 0.0001, head 3e+37" in str(found.reason)
    assert "lr=1e-05" in str(found.reason)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"upstreams": ["mel"], "finetune": "joint"}, "mel cannot be fine-tuned"),
        ({"upstreams": ["wav2vec2:lr=1e-5"]}, "finetune=joint,lr=1e-05"),
        ({"upstreams": ["wav2vec2:lora=8"]}, "finetune=joint,lora=8"),
        ({"upstreams": ["wav2vec2:lr=1e-5,lora=8"]}, "lr= and lora= have no effect"),
        ({"upstreams": ["wav2vec2:finetune=last,lora=0"]}, "at least 1"),
        ({"upstreams": ["bert:text={whisper:finetune=last}"]}, "cannot transcribe"),
        ({"upstreams": ["wav2vec2:finetune=last,lr=2"]}, "between 0 and 1"),
    ],
)
def test_an_upstream_that_cannot_be_fine_tuned_is_refused(
    study: Ask, said: dict[str, Any], what: str
) -> None:
    with pytest.raises(BadSpec, match=what):
        study(**said)


@pytest.mark.parametrize("head", ["best", "single:layer=all"])
def test_a_head_that_stands_for_several_cannot_fine_tune(study: Ask, head: str) -> None:
    with pytest.raises(NothingToRun, match="fine-tuning needs one head"):
        study(f"finetune={{{head}}}")
