import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from plans import planned, planner_of
from safetensors.torch import load_file
from tiny_whisper import save_whisper

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.prepare import prepare, prepare_study
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.running.cost import CostEstimate
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.running.timed_extraction import (
    TimedExtraction,
    middle,
    take_sample,
)
from nserbench.benchmark.running.timed_training import TimedTraining, TrainingSamples
from nserbench.benchmark.running.trainings import Training
from nserbench.benchmark.store.feature_store import Entry
from nserbench.benchmark.store.shards import read_header
from nserbench.benchmark.study.study import Study
from nserbench.cards import Options
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels
from nserbench.downstreams.base import DownstreamCard
from nserbench.errors import BadAudio
from nserbench.progress import Silent
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.groups import Groups

pytestmark = pytest.mark.usefixtures("narrow_heads")

Ask = Callable[..., Study]
TIMED = "nserbench.benchmark.running.timed_training"


@pytest.fixture
def plan(ask: Ask, runner: Runner) -> Callable[..., CostEstimate]:
    def go(**said: Any) -> CostEstimate:
        return planned(runner, ask(**said))

    return go


def test_a_plan_counts_cells_and_extractions(plan: Callable[..., CostEstimate]) -> None:
    found = plan(
        downstreams=["mean,bigru,weighted-sum"],
        noises=["clean", "hiss"],
        snrs=[0, 5],
        seeds=[0, 1],
    )

    assert (found.missing, found.there, len(found.refused)) == (12, 0, 6)
    assert "weighted-sum" in found.refused[0]
    assert "nothing to fuse" in found.refused[0]
    assert [(one.condition, one.utterances, one.forms) for one in found.passes] == [
        (condition, 24, ("pooled", "frames"))
        for condition in ("clean", "hiss@0", "hiss@5")
    ]
    assert found.training > 0


def test_groups_of_one_upstream_share_an_extraction(
    plan: Callable[..., CostEstimate], levels: Any
) -> None:
    found = plan(upstreams=["levels,levels:groups=wide,levels:groups=flat,mel"])

    assert [one.upstream for one in found.passes] == ["levels", "mel"]


def test_a_plan_writes_nothing_but_the_ledger_of_files(
    plan: Callable[..., CostEstimate], runner: Runner
) -> None:
    plan(downstreams=["mean,bigru"])

    assert [path.name for path in runner.store.root.iterdir()] == ["ledger.sqlite"]
    assert not runner.results.exists()


def test_cells_and_features_that_exist_are_not_planned_again(
    plan: Callable[..., CostEstimate], runner: Runner, ask: Ask
) -> None:
    runner.run(ask())

    there = plan()
    frames = plan(downstreams=["mean,bigru"])
    seeds = plan(seeds=[0, 1])

    assert (there.missing, there.there, there.passes, there.training) == (0, 1, [], 0)
    assert [one.forms for one in frames.passes] == [("frames",)]
    assert (seeds.missing, seeds.there, seeds.passes) == (1, 1, [])


@pytest.mark.parametrize(
    ("head", "protocol"),
    [("mean", "probe"), ("bigru", "probe"), ("bigru", "probe+frames=int8")],
)
def test_the_planned_size_is_the_size_of_the_store(
    plan: Callable[..., CostEstimate],
    runner: Runner,
    ask: Ask,
    levels: Any,
    head: str,
    protocol: str,
) -> None:
    said = {
        "upstreams": ["levels"],
        "downstreams": [head],
        "protocol": protocol,
        "epochs": 1,
    }
    (planned,) = plan(**said).passes

    runner.run(ask(**said))

    (features,) = runner.store.all_features()
    content = sum(
        stored.dtype.itemsize * math.prod(stored.shape)
        for form in planned.forms
        for file in features.shards(form)
        for stored in read_header(file)[0].values()
    )
    assert planned.size == pytest.approx(content, rel=0.1)


@pytest.mark.parametrize("head", ["mean", "fc", "bigru"])
def test_the_planned_weights_are_those_that_the_store_will_hold(
    plan: Callable[..., CostEstimate], runner: Runner, ask: Ask, head: str
) -> None:
    said = {"downstreams": [head], "epochs": 1}
    planned = plan(**said).weights

    runner.run(ask(**said))

    heads = [load_file(file) for file in runner.store.fits()]
    content = sum(value.nbytes for head in heads for value in head.values())
    assert planned == content > 0
    assert plan(**said).weights == 0


@pytest.fixture
def second_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one batch of any head take a second, with no other time."""

    def take(_: object, training: Training) -> TimedTraining:
        return TimedTraining(once=0.0, epoch=1.0 * len(training.fits))

    monkeypatch.setattr(TrainingSamples, "_take", take)


@pytest.mark.usefixtures("second_per_batch")
def test_training_time_grows_with_epochs_seeds_and_folds(
    plan: Callable[..., CostEstimate],
) -> None:
    found = plan(epochs=5, seeds=[0, 1, 2])

    # 12 utterances to train on make one batch, in each of two folds.
    assert found.training == 5 * 3 * 2


@pytest.mark.usefixtures("second_per_batch", "levels")
def test_a_head_that_chooses_costs_the_training_of_all_its_candidates(
    plan: Callable[..., CostEstimate],
) -> None:
    found = plan(
        upstreams=["levels:groups=wide"],
        downstreams=["best"],
        protocol="dev",
        epochs=5,
    )

    # three layers, five epochs of one batch, two folds
    assert found.training == 3 * 5 * 2


@pytest.mark.usefixtures("second_per_batch")
def test_a_head_on_frames_costs_the_pooled_head_that_it_is_compared_with_too(
    plan: Callable[..., CostEstimate],
) -> None:
    frames = plan(downstreams=["bigru"], epochs=5)
    both = plan(downstreams=["bigru,mean"], epochs=5)

    assert frames.training == both.training == 2 * 5 * 2


@pytest.mark.usefixtures("second_per_batch")
@pytest.mark.parametrize(
    ("workers", "seconds"),
    [
        (None, 20),  # two folds of 5 s, and a stack of two pooled heads, 10 s
        (1, 20),
        (2, 15),  # the folds side by side
        (9, 15),
    ],
)
def test_workers_share_folds_and_wait_for_the_longest(
    runner: Runner, ask: Ask, workers: int | None, seconds: float
) -> None:
    planner = planner_of(runner)
    planner.workers = workers
    study = prepare_study(ask(downstreams=["bigru"], epochs=5), planner.store, Silent())

    (cost,) = planner.estimate([study])

    assert cost.training == 20
    assert seconds <= planner.elapsed <= seconds + cost.extraction


@pytest.mark.usefixtures("second_per_batch")
def test_workers_share_cells_before_folds(runner: Runner, ask: Ask) -> None:
    planner = planner_of(runner)
    planner.workers = 2
    asked = ask(downstreams=["bigru"], noises=["clean", "hiss"], epochs=5)

    (cost,) = planner.estimate([prepare_study(asked, planner.store, Silent())])

    assert 20 <= planner.elapsed <= 20 + cost.extraction


def test_a_head_that_would_halve_the_time_is_suggested(
    runner: Runner, ask: Ask, levels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_: object, training: Training) -> TimedTraining:
        layers = sum(len(spec.layers) for spec in training.job.cell.groups.values())
        frames = training.job.cell.reads_frames
        return TimedTraining(once=0.0, epoch=100.0 * layers**2 if frames else 1.0)

    def found(**said: Any) -> list[tuple[str, float]]:
        planner = planner_of(runner)
        study = prepare_study(ask(epochs=1, **said), planner.store, Silent())
        planner.estimate([study])
        return [(one.instead, round(one.seconds)) for one in planner.cheaper]

    monkeypatch.setattr(TrainingSamples, "_take", take)

    both = found(upstreams=["levels"], downstreams=["bigru"])
    pooled = found(upstreams=["levels"], downstreams=["mean"])

    # A second for the pooled heads that bigru is compared with, one for those instead.
    # Each of two folds takes 100 s with one layer, 400 s with those of both groups.
    assert both == [
        ("mean", 2),
        ("bigru on the group wide", 201),
        ("bigru on the group flat", 201),
    ]
    assert pooled == []


def test_pooled_heads_are_timed_together(
    ask: Ask, runner: Runner, levels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[int] = []

    def fit_together(heads: list[object], *_: object) -> None:
        stacks.append(len(heads))

    monkeypatch.setattr(f"{TIMED}.fit_together", fit_together)
    monkeypatch.setattr("nserbench.benchmark.jobs.fit.fit_together", fit_together)

    planned(
        runner,
        ask(
            upstreams=["levels:groups=wide"],
            downstreams=["single:layer=all"],
            seeds=[0, 1],
        ),
    )

    assert set(stacks) == {3 * 2 * 2}  # layers, folds, seeds


def test_the_sample_is_a_clip_of_average_length(ask: Ask, runner: Runner) -> None:
    (job,) = prepare(ask(), runner.store, Silent())

    sizes = [clip.samples for clip in job.clips]

    mean = sum(sizes) / len(sizes)
    assert abs(middle(job.clips).samples - mean) == min(abs(s - mean) for s in sizes)


def timed(average: int, growth: float, longest: int | None = None) -> TimedExtraction:
    return TimedExtraction({}, 2.0, average, longest, growth)


def clips_of(*sizes: int) -> list[Clip]:
    part = Utterance(id="u", path=Path("u.wav"), label="a", speaker="s", fold="1")
    return [Clip(part, "", size, Levels(1.0, 1.0, 1.0)) for size in sizes]


def test_time_grows_with_the_length_of_clips_as_it_was_timed() -> None:
    clips = clips_of(100, 100, 1000)

    assert timed(100, 0.0).seconds(clips) == 3 * 2.0
    assert timed(100, 1.0).seconds(clips) == 12 * 2.0
    assert timed(100, 2.0).seconds(clips) == 102 * 2.0
    assert timed(100, 2.0, longest=300).seconds(clips) == 11 * 2.0


def test_clips_side_by_side_take_their_part_of_the_time() -> None:
    one, four = timed(100, 1.0), replace(timed(100, 1.0), clips=4)
    clips = clips_of(*[100] * 8)

    assert one.seconds(clips, at_once=2) == 8 * 2.0 / 2
    assert four.seconds(clips, at_once=2) == 8 * 2.0  # the sample has shown it
    assert four.seconds(clips, at_once=8) == 8 * 2.0 / 2


@pytest.mark.parametrize("power", [0, 1, 2])
def test_growth_is_found_by_timing_the_longest_clip(
    ask: Ask,
    runner: Runner,
    notes: Path,
    monkeypatch: pytest.MonkeyPatch,
    power: int,
) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 70 * 16_000)
    soundfile.write(notes.parent / "s0_low_0.wav", wave, 16_000)
    (job,) = prepare(ask(), runner.store, Silent())
    received: list[list[int]] = []

    def timing(_: object, clips: Sequence[Clip]) -> float:
        received.append([clip.samples for clip in clips])
        return math.fsum(1e-12 * clip.samples**power for clip in clips)

    monkeypatch.setattr("nserbench.benchmark.running.timed_extraction._timed", timing)

    entries = frozenset([Entry("pooled", "mel")])
    sample = take_sample(
        *(job.extraction.alone, job.clips, ModelCache("cpu"), entries),
        Stopwatch("cpu"),
    )

    assert [len(sizes) for sizes in received] == [1, 4, 1]
    assert received[0] == [sample.average]
    assert received[-1] == [60 * 16_000]  # not the whole 70 s
    assert sample.growth == pytest.approx(power)


def test_a_plan_can_be_written_as_json(plan: Callable[..., CostEstimate]) -> None:
    content = json.loads(json.dumps(dataclasses.asdict(plan())))

    assert content["missing"] == 1
    assert content["passes"][0]["forms"] == ["pooled"]


def test_broken_audio_is_refused_when_planning(
    plan: Callable[..., CostEstimate], notes: Path
) -> None:
    (notes.parent / "s0_low_0.wav").unlink()

    with pytest.raises(BadAudio, match="s0_low_0"):
        plan()


def test_two_checkpoints_of_one_card_have_a_sample_each(
    ask: Ask, runner: Runner, tmp_path: Path
) -> None:
    small = save_whisper(tmp_path / "small")
    large = save_whisper(tmp_path / "large", dim=64)
    upstreams = [f"whisper:checkpoint={folder}" for folder in (small, large)]
    planner = planner_of(runner)

    study = ask(upstreams=upstreams, downstreams=["mean", "bigru"])
    (cost,) = planner.estimate([prepare_study(study, runner.store, Silent())])

    first, second = cost.passes
    assert second.size > 3 * first.size


class Both(torch.nn.Module):
    """A head that needs two groups, which its card does not say."""

    def __init__(self, groups: Groups, classes: int, options: Options) -> None:
        super().__init__()
        dim = groups["wide"].dim + groups["flat"].dim
        self.classify = torch.nn.Linear(dim, classes)

    def forward(self, features: LayeredFeatures) -> torch.Tensor:
        """Return the logits, ``(batch, classes)``."""
        parts = [features[name].states.mean((0, 2)) for name in ("wide", "flat")]
        logits: torch.Tensor = self.classify(torch.cat(parts, -1))
        return logits


@pytest.mark.usefixtures("levels")
def test_a_head_that_cannot_exist_on_one_group_is_not_suggested(
    ask: Ask, runner: Runner, plugins: Plugins, offer: Callable[[str, object], str]
) -> None:
    facts: Any = {"summary": "", "source": "", "licence": ""}
    load = offer("Both", Both)
    card = DownstreamCard(name="both", load=load, tier="frames", **facts)
    plugins.downstreams.add(card, "the test")
    planner = planner_of(runner)

    study = ask(upstreams=["levels"], downstreams=["both"])
    (cost,) = planner.estimate([prepare_study(study, runner.store, Silent())])

    assert cost.missing == 1
    assert all("group" not in one.instead for one in planner.cheaper)
