"""Upstreams that learn from pairs: what a step adds, teachers, interrupted runs."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killed_runs import Killed, Mortal
from plans import planned
from torch import Tensor, nn

from nserbench.benchmark.finetuning import audio_batches as waves
from nserbench.benchmark.finetuning.audio_batches import AudioBatches
from nserbench.benchmark.finetuning.finetune import fine_tune
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import ensure_features as provision
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.cards import Option
from nserbench.downstreams.kernels.mask_dropout import Dropout
from nserbench.errors import BadSpec, NothingToRun
from nserbench.progress import Silent
from nserbench.settings import Settings
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    UpstreamCard,
)
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream

Ask = Callable[..., Study]
HOP = 800


class Twins(PairUpstream):
    """A random linear map of the spectrum of 50 ms; pulls noisy states to clean ones.

    With ``taught=yes`` it pulls them to those of its teacher.
    """

    def __init__(self, options: Any, device: str) -> None:
        super().__init__(options, device)
        self.model = self.map = nn.Linear(HOP // 2 + 1, 6).to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        clips = [
            self.map(torch.fft.rfft(wave.unfold(0, HOP, HOP)).abs())[None]
            for wave in batch.tensors(self.device)
        ]
        return {"map": LayerGroup.pad(clips)}

    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        features = self.forward(batch)
        with torch.no_grad():
            wanted = (self.teacher or self).forward(clean)["map"].states
        squares = (features["map"].states - wanted).square().mean(-1).sum(-1)[0]
        far = squares / features["map"].lengths
        return FeaturesAndLosses(features, self.named(far))

    def named(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": 0.25 * far}


def teacher_of(options: Any) -> dict[str, object] | None:
    return {"taught": False} if options["taught"] else None


CARD = UpstreamCard(
    name="twins",
    load=Twins,
    groups={"map": GroupSpec(range(1, 2), dim=6, rate=16_000 / HOP)},
    options={"taught": Option(default=False)},
    min_samples=HOP,
    tunable=True,
    always_trained=True,
    teacher=teacher_of,
    learning_rate=1e-2,
)


@pytest.fixture
def study(plugins: Plugins) -> Ask:
    """Return a function that makes a study of ``twins``, in noise."""
    plugins.upstreams.add(CARD, "the test")

    def make(upstream: str = "twins", **said: Any) -> Study:
        plain: dict[str, Any] = {
            "upstreams": [upstream],
            "downstreams": ["last"],
            "corpora": ["demo-park"],
            "protocol": "probe+batch_size=2",
            "epochs": 2,
            "limit": 8,
        }
        return make_study(Request(**plain | said), plugins, Settings())

    return make


def only(runner: Runner) -> Result:
    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    return result


def training(result: Result) -> Any:
    return result.notes["training"]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn dropout in heads off."""
    monkeypatch.setattr(Dropout, "forward", lambda self, values: values)


@pytest.mark.usefixtures("still")
def test_the_parts_of_a_batch_have_the_gradient_and_losses_of_the_whole(
    study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path, monkeypatch: Any
) -> None:
    whole, parts = runner_in(tmp_path / "whole"), runner_in(tmp_path / "parts")
    whole.run(study())

    monkeypatch.setattr(waves, "MAX_SAMPLES", 1)
    parts.run(study())

    seen, again = training(only(whole)), training(only(parts))
    for fold, told in seen.items():
        for what in ("losses", "gradients"):
            assert again[fold][what] == pytest.approx(told[what], rel=1e-3)
        assert again[fold]["terms"]["far"] == pytest.approx(
            told["terms"]["far"], rel=1e-3
        )
        assert len(told["terms"]["far"]) == 2
        assert min(told["terms"]["far"]) > 0


@pytest.mark.usefixtures("still")
def test_a_step_follows_cross_entropy_plus_the_mean_of_each_loss(
    study: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(protocol="paper+batch_size=64", epochs=1)
    (job,) = prepare(asked, runner.store, Silent())
    rows = torch.tensor(job.splits[0].train)
    started: list[Twins] = []
    norms: list[float] = []
    assert job.tuning is not None

    def step_norm(model: Any, rate: float) -> float:
        norms.append(float(nn.utils.get_total_norm([*gradients(model)])))
        started.append(model.upstream)
        return norms[-1]

    def gradients(model: Any) -> list[Tensor]:
        modules = (model.upstream.model, model.head)
        return [p.grad for one in modules for p in one.parameters()]

    monkeypatch.setattr(
        "nserbench.benchmark.finetuning.joint_model.JointModel.step", step_norm
    )

    runner.run(asked)

    told = training(only(runner))[job.splits[0].fold]
    batches = AudioBatches(job.tuning.joint, runner.store, None)
    (pair,) = batches.pairs(rows)
    assert pair.clean is not None
    with torch.no_grad():
        near = started[0].forward(pair.clean)["map"]
        far = started[0].forward(pair.batch)["map"]
    expected = [
        0.25 * float((near.states - far.states)[0, row, :length].square().mean())
        for row, length in enumerate(near.lengths.tolist())
    ]
    assert told["terms"]["far"] == [pytest.approx(np.mean(expected), rel=1e-4)]
    assert told["gradients"] == [norms[0]]


def test_clean_twins_are_the_same_clips_without_noise(
    study: Ask, runner: Runner
) -> None:
    (job,) = prepare(study(), runner.store, Silent())
    assert job.tuning is not None
    batches = AudioBatches(job.tuning.joint, runner.store, None)

    (pair,) = batches.pairs(torch.tensor([3, 0]))

    assert pair.clean is not None
    assert (
        pair.clean.ids
        == pair.batch.ids
        == [job.clips[3].utterance.id, job.clips[0].utterance.id]
    )
    for row, clean, noisy in zip(
        [3, 0], pair.clean.waves, pair.batch.waves, strict=True
    ):
        np.testing.assert_array_equal(clean, job.clips[row].read())
        assert not np.array_equal(clean, noisy)


class Flipped(Enhancer):
    """Turns a wave upside down."""

    def separate(self, wave: Any) -> Any:
        return -wave


def test_noisy_clips_are_there_before_the_enhancer_for_an_upstream_that_reads_them(
    plugins: Plugins, runner: Runner
) -> None:
    plugins.enhancers.add(EnhancerCard(name="flip", load=Flipped), "the test")
    reads = frozenset({"waves", "unenhanced"})
    plugins.upstreams.add(replace(CARD, reads=reads), "the test")
    asked = Request(
        upstreams=["twins:enhance=flip"],
        downstreams=["last"],
        corpora=["demo-park"],
        limit=8,
    )
    (job,) = prepare(make_study(asked, plugins, Settings()), runner.store, Silent())
    assert job.tuning is not None
    batches = AudioBatches(job.tuning.joint, runner.store, Flipped({}, "cpu"))

    (pair,) = batches.pairs(torch.tensor([0, 1]))

    for enhanced, noisy in zip(pair.batch.waves, pair.batch.unenhanced, strict=True):
        np.testing.assert_allclose(enhanced, -noisy, rtol=1e-5)
    assert pair.clean is not None
    assert pair.clean.unenhanced == []
    np.testing.assert_array_equal(pair.clean.waves[0], job.clips[0].read())


def test_random_weights_are_those_of_the_seed_also_after_a_kill(
    study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path
) -> None:
    asked = study("twins:taught=yes", epochs=3)
    calm, killed = runner_in(tmp_path / "calm"), runner_in(tmp_path / "killed")
    torch.manual_seed(5)
    calm.run(asked)
    torch.manual_seed(6)
    killed.progress = Mortal(10)  # the teacher takes six steps, then its pupil
    with pytest.raises(Killed):
        killed.run(asked)
    killed.progress = Mortal(10**9)

    killed.run(asked)

    one, other = only(calm), only(killed)
    assert one.predictions is not None
    assert other.predictions is not None
    np.testing.assert_array_equal(
        one.predictions.probabilities, other.predictions.probabilities
    )
    assert training(one) == training(other)


class Scaled(Twins):
    """Twins of a spectrum that is scaled by random numbers, which are not saved."""

    def __init__(self, options: Any, device: str) -> None:
        super().__init__(options, device)
        self.scales = torch.rand(6, device=device)
        self.map.register_buffer("scales", self.scales, persistent=False)
        self.model = nn.Sequential(self.map, front := nn.Linear(6, 6).to(device))
        self.front = front.requires_grad_(False)

    def forward(self, batch: Batch) -> LayeredFeatures:
        group = super().forward(batch)["map"]
        states = self.front(group.states * self.scales)
        return {"map": LayerGroup(states, group.lengths)}


def test_random_values_that_are_not_trained_are_those_of_training_afterwards(
    plugins: Plugins, study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path
) -> None:
    plugins.upstreams.add(replace(CARD, name="scaled", load=Scaled), "the test")
    answers = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        runner = runner_in(tmp_path / str(seed))
        runner.run(study("scaled"))
        predictions = only(runner).predictions
        assert predictions is not None
        answers.append(predictions.probabilities)

    first, second = answers
    np.testing.assert_array_equal(first, second)


def test_a_teacher_is_trained_once_on_clean_speech_and_serves_every_noise(
    study: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[str, str, str]] = []

    def noted(tuning: Any, split: Any, *rest: Any) -> None:
        cell = tuning.joint.cell
        trained.append((cell.upstream.label, str(cell.condition), split.fold))
        fine_tune(tuning, split, *rest)

    monkeypatch.setattr(provision, "fine_tune", noted)
    asked = study("twins:taught=yes", corpora=["demo-park", "demo-human"], epochs=1)

    runner.run(asked)

    assert trained.count(("twins", "clean", "1")) == 1
    assert sorted(trained)[:2] == [("twins", "clean", "1"), ("twins", "clean", "2")]
    assert len(trained) == 6
    assert trained.index(("twins", "clean", "2")) < trained.index(
        ("twins:taught=yes", "park@0", "2")
    )


def test_a_plan_counts_the_teacher_until_its_pupil_is_trained(
    study: Ask, runner: Runner
) -> None:
    typed = "twins:taught=yes,finetune=last"
    asked, probe = study(typed), study(typed, downstreams=["mean"])
    price = planned(runner, asked)
    runner.run(asked)
    (job,) = prepare(asked, runner.store, Silent())
    assert job.tuning is not None
    assert len(runner.store.tuned()) == 4
    for split in job.splits:
        job.tuning.stages[0].file(split, runner.store).unlink()

    after = planned(runner, probe)

    assert price.tuning > sum(one.seconds for one in price.passes) > 0
    assert price.weights > 4 * (HOP // 2 + 1) * 6 * 4
    assert after.tuning == 0


def test_a_head_is_not_standardised_by_an_upstream_that_is_not_trained(
    study: Ask, runner: Runner
) -> None:
    asked = study(downstreams=["last", "mean"])  # mean is a probe
    runner.run(study("twins:finetune=last", downstreams=["last", "mean"]))

    scaled = {
        one.downstream: note_of(one, "recipe")["standardise"]
        for one in read_results(runner.results)
    }
    assert scaled == {"last": False, "mean": True}
    scales = {
        one.downstream: training(one)["1"]["scales"]
        for one in read_results(runner.results)
    }
    assert scales["last"] == {}
    assert {cell.upstream.label for cell in asked.cells} == {
        "twins:finetune=last",
        "twins:finetune=mean",
    }


def note_of(result: Result, name: str) -> Any:
    return result.protocol_details[name]


@pytest.mark.parametrize(
    ("upstream", "said", "what"),
    [
        ("twins:finetune=none", {}, "finetune=none: it has no use without training"),
        ("twins+mel", {}, "twins always is"),
    ],
)
def test_what_is_always_trained_is_refused_untrained(
    study: Ask, upstream: str, said: dict[str, Any], what: str
) -> None:
    with pytest.raises(BadSpec, match=re.escape(what)):
        study(upstream, **said)


def test_asking_for_statistics_of_random_weights_is_refused(study: Ask) -> None:
    with pytest.raises(NothingToRun, match=r"leave \+standardise=yes out"):
        study(protocol="paper+standardise=yes")


class Broadcast(Twins):
    def named(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far.mean()}


class Exploded(Twins):
    def named(self, far: Tensor) -> dict[str, Tensor]:
        return {"far": far / 0}


@pytest.mark.parametrize(
    ("load", "what"),
    [
        (Broadcast, "the loss 'far' of Broadcast has the shape ()"),
        (Exploded, "the loss 'far' of step 1 of epoch 1 is inf"),
    ],
)
def test_losses_that_cannot_be_added_are_refused(
    plugins: Plugins, study: Ask, runner: Runner, load: Any, what: str
) -> None:
    plugins.upstreams.add(replace(CARD, name="odd", load=load), "the test")

    runner.run(study("odd", epochs=1, limit=8))

    (result,) = read_results(runner.results)
    assert what in str(result.reason)
