"""Estimate what a study would cost, from a timed sample of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch.nn import functional as F

from nserbench.benchmark.extraction.batches import kept_entries
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import NamedNeed, Needs
from nserbench.benchmark.jobs.prepare import PreparedStudy
from nserbench.benchmark.running.runner import without_result
from nserbench.benchmark.running.timed_extraction import Samples
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.downstreams.base import Recipe
from nserbench.progress import Progress
from nserbench.upstreams.base import LayeredFeatures, LayerGroup


@dataclass(frozen=True, slots=True)
class ExtractionPass:
    """A pass of an upstream that makes what the store lacks of a condition.

    Attributes:
        utterances: Number of utterances.
        groups: Groups that are read; none if the transcripts alone are.
        forms: Forms that are stored.
        transcribes: Whether the upstream has to transcribe, which takes long.
        size: Bytes that the features will take in the store.
        seconds: Estimated time of the extraction.
    """

    upstream: str
    corpus: str
    condition: str
    utterances: int
    groups: tuple[str, ...]
    forms: tuple[Form, ...]
    transcribes: bool
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a study would cost.

    Attributes:
        missing: Number of cells to run.
        there: Number of cells that have a result.
        refused: Cells that cannot exist, each with the reason.
        passes: Passes that no earlier study of the same command needs.
        tuning: Estimated seconds to fine-tune all upstreams.
        training: Estimated seconds to train all heads.
    """

    missing: int
    there: int
    refused: Sequence[str]
    passes: Sequence[ExtractionPass]
    tuning: float
    training: float


def estimate(
    studies: Sequence[PreparedStudy],
    store: Store,
    results: Path,
    device: str,
    progress: Progress,
) -> list[CostEstimate]:
    """Estimate the cost of the cells that have no result, for each study of a command.

    What several studies share is counted in the first of them.

    Raises:
        NserbenchError: if a model cannot be loaded.
    """
    todo = without_result(studies, results)
    jobs = list(chain.from_iterable(one.jobs_to_run for one in todo))
    needs = Needs(jobs, store)
    samples = Samples(ModelCache(device), progress.note)
    counted: set[str] = set()
    costs = []
    for prepared in todo:
        own = Needs(prepared.jobs_to_run, store).names
        new = [one for one in needs if one.name in own and one.name not in counted]
        counted.update(own)
        costs.append(_estimate(prepared, new, store, samples, device))
    return costs


def _estimate(
    prepared: PreparedStudy,
    needs: Sequence[NamedNeed],
    store: Store,
    samples: Samples,
    device: str,
) -> CostEstimate:
    """Estimate the cost of one study, with the passes that are counted in it."""
    todo, cells = prepared.jobs_to_run, prepared.study.cells
    passes = [
        _cost_of(one, named.corpus, store, samples)
        for named in needs
        for one in named.need.passes(store)
    ]
    steps: dict[tuple[str, str], float] = {}
    training = 0.0
    for job in chain.from_iterable(job.alternatives for job in todo):
        pair = job.cell.upstream.label, job.cell.downstream.label
        if pair not in steps:
            steps[pair] = step_seconds(job, sampled_features(job, samples), device)
        training += steps[pair] * step_count(job)
    return CostEstimate(
        missing=len(todo),
        there=len(prepared.jobs) - len(todo),
        refused=[f"{cell}: {cell.refused}" for cell in cells if cell.refused],
        passes=passes,
        tuning=tuning_seconds(todo, store, samples),
        training=training,
    )


def together(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Return the sum of the estimates of a command's studies."""
    return CostEstimate(
        missing=sum(estimate.missing for estimate in estimates),
        there=sum(estimate.there for estimate in estimates),
        refused=list(chain.from_iterable(estimate.refused for estimate in estimates)),
        passes=list(chain.from_iterable(estimate.passes for estimate in estimates)),
        tuning=sum(estimate.tuning for estimate in estimates),
        training=sum(estimate.training for estimate in estimates),
    )


def sampled_features(job: Job, samples: Samples) -> LayeredFeatures:
    """Return the sample features of all upstreams of a cell."""
    own = job.extraction.own_groups(job.cell.groups)
    timed = {
        name: samples.features(job.extraction.parts[name], job.clips, groups)
        for name, groups in own.items()
    }
    return {
        f"{name}.{group}".lstrip("."): states
        for name, features in timed.items()
        for group, states in features.items()
    }


def tuning_seconds(jobs: Sequence[Job], store: Store, samples: Samples) -> float:
    """Return the estimated seconds to make the fine-tuned weights that are missing.

    A step with gradients counts as three forward passes: one forward, two backward.
    """
    seconds_of: dict[Path, float] = {}
    for job in chain.from_iterable(job.alternatives for job in jobs):
        if (tuning := job.tuning) is None:
            continue
        extraction, groups = job.extraction.alone, tuning.joint.cell.groups
        sample = samples.of(extraction, job.clips, groups)
        epochs = len(job.training) * tuning.joint.recipe.epochs
        for split in job.splits:
            clips = [job.clips[row] for row in split.train]
            seconds = 3 * epochs * sample.seconds(clips)
            seconds_of[tuning.file(split, store)] = seconds
    return sum(seconds for file, seconds in seconds_of.items() if not file.exists())


def _cost_of(one: Pass, corpus: str, store: Store, samples: Samples) -> ExtractionPass:
    """Return the estimated cost of a pass."""
    extraction, clips = one.extraction, list(one.clips.values())
    sample = samples.of(extraction, clips, one.groups, one.returns_transcripts)
    features = store.features(extraction.identity)
    kept = kept_entries(one, sample.features, features)
    described = extraction.card.describe(extraction.upstream.bound.options).groups
    return ExtractionPass(
        upstream=extraction.upstream.bound.label,
        corpus=corpus,
        condition=extraction.condition,
        utterances=len(clips),
        groups=tuple(name for name in described if name in one.groups),
        forms=one.forms,
        transcribes=one.transcribes,
        size=sum(map(sample.size, kept.values())),
        seconds=sample.seconds(clips),
    )


def step_count(job: Job) -> int:
    """Return the number of training steps of a cell, over all folds and epochs."""
    recipe = Recipe(**job.protocol["recipe"])
    folds = [len(split.train) for split in job.opened.splits]
    return recipe.epochs * sum(-(-size // recipe.batch_size) for size in folds)


def step_seconds(job: Job, features: LayeredFeatures, device: str) -> float:
    """Time a training step of a head on copies of the features of one clip."""
    recipe = Recipe(**job.protocol["recipe"])
    head = job.cell.downstream
    classes = len(job.opened.corpus.classes)
    built = head.card.build(job.cell.groups, classes, head.options).to(device)
    batch = _batch(job, features, recipe.batch_size, device)
    labels = torch.arange(recipe.batch_size, device=device) % classes
    optimiser = torch.optim.Adam(built.parameters(), lr=recipe.learning_rate)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        optimiser.zero_grad()
        F.cross_entropy(built(batch), labels).backward()
        optimiser.step()
        seconds.append(time.perf_counter() - began)
    return seconds[-1]


def _batch(
    job: Job, features: LayeredFeatures, size: int, device: str
) -> LayeredFeatures:
    pooled = not job.cell.reads_frames
    batch = {}
    for name, spec in job.cell.groups.items():
        first = job.stored[name].layers.start
        group = features[name]
        states = group.states[spec.layers.start - first : spec.layers.stop - first]
        if pooled:
            states = states[:, :, :1]
        copies = states.expand(-1, size, -1, -1).contiguous().to(device)
        lengths = torch.full((size,), states.shape[2], device=device)
        batch[name] = LayerGroup(copies, lengths)
    return batch
