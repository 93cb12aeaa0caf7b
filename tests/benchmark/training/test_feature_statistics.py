"""The input of heads has mean 0 and standard deviation 1 on the training set."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nserbench.benchmark.jobs.fit import FitResult
from nserbench.benchmark.jobs.head import FitLog, class_numbers
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.suspect_heads import review
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training import gpu_source as resident
from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.benchmark.training.loss import EpochLog
from nserbench.downstreams.base import DownstreamCard
from nserbench.downstreams.pooling import mean_over_time
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

Ask = Callable[..., Study]


def assert_standard(received: list[Statistics], heads: int, atol: float = 1e-3) -> None:
    assert len(received) == heads
    for groups in received:
        for mean, deviation in groups.values():
            torch.testing.assert_close(mean, mean * 0, atol=atol, rtol=0)
            torch.testing.assert_close(deviation, mean * 0 + 1, atol=atol, rtol=0)


def test_moments_are_those_of_numpy_in_float64() -> None:
    generator = np.random.default_rng(0)
    frames = [
        generator.normal(300, 0.1, (2, int(count), 3)).astype(np.float32)
        for count in generator.integers(1, 90, 40)
    ]
    moments = Moments()

    for one in frames:
        moments.add("encoder", torch.from_numpy(one))

    mean, deviation = moments.statistics()["encoder"]
    whole = np.concatenate(frames, axis=1).astype(np.float64)
    np.testing.assert_allclose(mean, whole.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(deviation, whole.std(axis=1), rtol=1e-5)
    assert moments.scales()["encoder"] == pytest.approx(np.median(whole.std(axis=1)))


def test_padding_is_not_counted_as_a_frame() -> None:
    states = torch.tensor([1.0, 3.0, 99.0, 5.0, 99.0, 99.0]).view(1, 2, 3, 1)
    moments = Moments()

    moments.add_valid("mel", LayerGroup(states, torch.tensor([2, 1])))

    mean, deviation = moments.statistics()["mel"]
    assert mean.item() == pytest.approx(3.0)
    assert deviation.item() == pytest.approx((8 / 3) ** 0.5)


class Average(nn.Module):
    """A head on frames from a plugin."""

    def __init__(self, groups: Any, classes: int, options: object) -> None:
        super().__init__()
        self.line = nn.Linear(groups["wide"].dim, classes)

    def forward(self, features: LayeredFeatures) -> torch.Tensor:
        group = features["wide"]
        logits: torch.Tensor = self.line(mean_over_time(group.states, group.lengths)[0])
        return logits


@pytest.fixture
def average(plugins: Plugins, offer: Callable[[str, object], str]) -> None:
    card = DownstreamCard(
        name="average",
        summary="",
        source="",
        licence="",
        load=offer("Average", Average),
        tier="frames",
    )
    plugins.downstreams.add(card, "the test")


@pytest.mark.usefixtures("levels", "average")
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("head", ["bigru", "ladapter:groups=wide", "average", "mean"])
def test_every_head_receives_z_scored_features(
    ask: Ask,
    runner: Runner,
    received: list[Statistics],
    monkeypatch: pytest.MonkeyPatch,
    head: str,
    kept: bool,
) -> None:
    monkeypatch.setattr(resident, "free_memory", lambda _: 10**9 if kept else 0)

    report = runner.run(ask(upstreams=["levels"], downstreams=[head], epochs=1))

    assert report.outcomes["done"] == 1
    frames = head != "mean"
    # A head on frames is compared with a pooled head.
    assert_standard(received, 4 if frames else 2)


@pytest.mark.parametrize("noise", ["hiss@0", "clean"])
def test_mel_frames_are_z_scored_with_and_without_noise(
    ask: Ask, runner: Runner, received: list[Statistics], noise: str
) -> None:
    name, _, snr = noise.partition("@")

    runner.run(
        ask(downstreams=["bigru"], noises=[name], snrs=[float(snr or 0)], epochs=1)
    )

    assert_standard(received, 4)


@pytest.fixture
def result(ask: Ask, runner: Runner) -> Callable[..., Result]:
    """Return a function that runs a study of one cell: its result."""

    def run(**said: Any) -> Result:
        runner.run(ask(**{"upstreams": ["levels"], **said}))
        (found,) = read_results(runner.results)
        return found

    return run


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_a_head_whose_input_is_far_from_unit_scale_is_flagged(
    result: Callable[..., Result], head: str
) -> None:
    found = result(downstreams=[head], protocol="probe+standardise=no")

    flags: Any = found.notes["flags"]
    lines = [line for fold in flags.values() for line in fold]
    assert any(line.startswith("input scale: ") and "wide" in line for line in lines)


def answers(job: Job, share: float, learned: float) -> FitResult:
    """Return predictions for the first fold with a given accuracy."""
    rows = torch.tensor(job.splits[0].test)
    given = class_numbers(job)[rows]
    wrong = round((1 - share) * len(rows))
    given[:wrong] = 1 - given[:wrong]
    epochs = EpochLog(losses=[1.0, 0.5], accuracies=[0.6, learned])
    log = FitLog(epochs, seconds=1.0, parameters=1, made_by="{}")
    return FitResult(rows, F.one_hot(given, 2).double(), log, {})


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize(
    ("share", "learned", "flagged"),
    [(0.5, 0.99, True), (0.92, 0.99, False), (0.5, 0.9, False)],
)
def test_a_head_that_overfits_where_a_pooled_head_does_not_is_flagged(
    prepared: Callable[..., list[Job]], share: float, learned: float, flagged: bool
) -> None:
    (job,) = prepared(upstreams=["levels"], downstreams=["bigru"])
    job = replace(job, splits=job.splits[:1])

    flags = review(job, [answers(job, share, learned)], [answers(job, 1.0, 0.9)])

    lines = [line for one in flags.values() for line in one]
    assert any(line.startswith("learned by heart: ") for line in lines) is flagged
