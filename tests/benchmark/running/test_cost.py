import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from plans import planned

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.running.cost import CostEstimate
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.timed_extraction import (
    TimedExtraction,
    middle,
    take_sample,
)
from nserbench.benchmark.study.study import Study
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels
from nserbench.errors import BadAudio
from nserbench.progress import Silent

Ask = Callable[..., Study]


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
        for stored in features._stored(form).values()
    )
    assert planned.size == pytest.approx(content, rel=0.1)


def test_training_time_grows_with_epochs_seeds_and_folds(
    plan: Callable[..., CostEstimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nserbench.benchmark.running.cost.step_seconds",
        lambda job, features, device: 1.0,
    )

    found = plan(epochs=5, seeds=[0, 1, 2])

    # 12 utterances to train on make one batch, in each of two folds.
    assert found.training == 5 * 3 * 2


def test_a_head_that_chooses_costs_the_training_of_all_its_candidates(
    plan: Callable[..., CostEstimate], monkeypatch: pytest.MonkeyPatch, levels: Any
) -> None:
    monkeypatch.setattr(
        "nserbench.benchmark.running.cost.step_seconds",
        lambda job, features, device: 1.0,
    )

    found = plan(
        upstreams=["levels:groups=wide"],
        downstreams=["best"],
        protocol="dev",
        epochs=5,
    )

    # three layers, five epochs of one batch, two folds
    assert found.training == 3 * 5 * 2


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
    received: list[int] = []

    def timing(_: object, clip: Clip, *__: object) -> tuple[dict[str, Any], float]:
        received.append(clip.samples)
        return {}, 1e-9 * clip.samples**power

    monkeypatch.setattr("nserbench.benchmark.running.timed_extraction._timed", timing)

    sample = take_sample(job.extraction.alone, job.clips, ModelCache("cpu"))

    assert received == [sample.average, 60 * 16_000]  # not the whole 70 s
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
