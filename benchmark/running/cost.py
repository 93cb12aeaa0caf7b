"""Estimate what a study would cost, from a timed sample of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch.nn import functional as F

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, lacking
from nserbench.benchmark.extraction.head_input import HeadInput
from nserbench.benchmark.extraction.identity import DigestedModel, Extraction
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import needed, prepare
from nserbench.benchmark.results.index import is_done
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.running.timed_extraction import TimedExtraction, take_sample
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.study import Study
from nserbench.downstreams.base import Recipe
from nserbench.progress import Progress
from nserbench.upstreams.base import LayeredFeatures, LayerGroup


@dataclass(frozen=True, slots=True)
class ExtractionPass:
    """Extraction of the features of a condition that the store lacks.

    Attributes:
        utterances: Number of utterances whose features are missing.
        size: Bytes that the features will take in the store.
        seconds: Estimated time of the extraction.
    """

    upstream: str
    corpus: str
    condition: str
    utterances: int
    forms: tuple[Form, ...]
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a study would cost.

    Attributes:
        missing: Number of cells to run.
        there: Number of cells that have a result.
        refused: Cells that cannot exist, each with the reason.
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
    study: Study, store: Store, results: Path, device: str, progress: Progress
) -> CostEstimate:
    """Estimate the cost of the cells that have no result.

    Raises:
        NserbenchError: if audio or weights cannot be used.
    """
    jobs = prepare(study, store, progress)
    todo = [job for job in jobs if not is_done(results / job_folder(job))]
    needs = needed_features(todo, store)
    models, samples = ModelCache(device), dict[str, TimedExtraction]()
    for need in needs:
        timed = with_original_weights(need.extraction)
        if timed.models not in samples:
            progress.note(f"timing {need.extraction.upstream.bound.label}")
            samples[timed.models] = take_sample(timed, need.clips, models)
    steps: dict[tuple[str, str], float] = {}
    training = 0.0
    for job in chain.from_iterable(job.alternatives for job in todo):
        pair = job.cell.upstream.label, job.cell.downstream.label
        if pair not in steps:
            features = sampled_features(job.extraction, samples)
            steps[pair] = step_seconds(job, features, device)
        training += steps[pair] * step_count(job)
    return CostEstimate(
        missing=len(todo),
        there=len(jobs) - len(todo),
        refused=[f"{cell}: {cell.refused}" for cell in study.cells if cell.refused],
        passes=missing_passes(needs, store, samples),
        tuning=tuning_seconds(todo, store, samples),
        training=training,
    )


def together(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Return the sum of several estimates; a shared extraction counts once."""
    passes = {
        (one.upstream, one.corpus, one.condition, one.forms): one
        for one in chain.from_iterable(estimate.passes for estimate in estimates)
    }
    return CostEstimate(
        missing=sum(estimate.missing for estimate in estimates),
        there=sum(estimate.there for estimate in estimates),
        refused=list(chain.from_iterable(estimate.refused for estimate in estimates)),
        passes=list(passes.values()),
        tuning=sum(estimate.tuning for estimate in estimates),
        training=sum(estimate.training for estimate in estimates),
    )


def with_original_weights(extraction: Extraction) -> Extraction:
    """Return an extraction with the original weights, which takes the same time."""
    upstream = DigestedModel(extraction.upstream.bound, "")
    return replace(extraction, upstream=upstream)


def sampled_features(
    extraction: HeadInput, samples: Mapping[str, TimedExtraction]
) -> LayeredFeatures:
    """Return the sample features of all upstreams of a cell.

    Args:
        samples: Timed extractions by `Extraction.models`.
    """
    timed = {
        name: samples[with_original_weights(part).models]
        for name, part in extraction.parts.items()
    }
    return {
        f"{name}.{group}".lstrip("."): states
        for name, sample in timed.items()
        for group, states in sample.features.items()
    }


def tuning_seconds(
    jobs: Sequence[Job], store: Store, samples: Mapping[str, TimedExtraction]
) -> float:
    """Return the estimated seconds to make the fine-tuned weights that are missing.

    A step with gradients counts as three forward passes: one forward, two backward.

    Args:
        samples: Timed extractions by `Extraction.models`.
    """
    seconds_of: dict[Path, float] = {}
    for job in chain.from_iterable(job.alternatives for job in jobs):
        if (tuning := job.tuning) is None:
            continue
        sample = samples[with_original_weights(job.extraction.alone).models]
        epochs = len(job.training) * tuning.joint.recipe.epochs
        for split in job.splits:
            clips = [job.clips[row] for row in split.train]
            seconds = 3 * epochs * sample.seconds(clips)
            seconds_of[tuning.file(split, store)] = seconds
    return sum(seconds for file, seconds in seconds_of.items() if not file.exists())


@dataclass(frozen=True, slots=True)
class NeededFeatures:
    """Features that jobs need.

    Attributes:
        forms: Forms that any of the jobs reads.
    """

    corpus: str
    extraction: Extraction
    clips: Sequence[Clip]
    forms: list[Form]


def needed_features(jobs: Sequence[Job], store: Store) -> list[NeededFeatures]:
    """Return all features that jobs need, each once.

    Transcripts come before the features of the upstreams that read them.
    """
    needs: dict[tuple[str, str], NeededFeatures] = {}

    def add(job: Job, extraction: Extraction, forms: Sequence[Form]) -> None:
        if extraction.transcripts is not None:
            add(job, extraction.transcripts, ["transcripts"])
        # Not the upstream's label: whisper-enc and whisper-dec share their features.
        key = job.cell.corpus.label, digest(extraction.identity)
        need = NeededFeatures(job.cell.corpus.label, extraction, job.clips, [])
        known = needs.setdefault(key, need).forms
        known += [form for form in forms if form not in known]

    fitted = chain.from_iterable(job.alternatives for job in jobs)
    for job in chain.from_iterable(job.folds(store) for job in fitted):
        inputs = [*(part.extraction for part in job.training), job.extraction]
        for part in chain.from_iterable(one.parts.values() for one in inputs):
            add(job, part, needed([job], part))
    return list(needs.values())


def missing_passes(
    needs: Sequence[NeededFeatures],
    store: Store,
    samples: Mapping[str, TimedExtraction],
) -> list[ExtractionPass]:
    """Return the extractions of the features that the store lacks.

    Args:
        samples: Timed extractions by `Extraction.models`.
    """
    missing = []
    for need in needs:
        extraction = need.extraction
        clips, forms = lacking(extraction, need.clips, need.forms, store)
        if clips:
            sample = samples[with_original_weights(extraction).models]
            missing.append(
                ExtractionPass(
                    upstream=extraction.upstream.bound.label,
                    corpus=need.corpus,
                    condition=extraction.condition,
                    utterances=len(clips),
                    forms=tuple(forms),
                    size=len(clips) * sum(sample.size(form) for form in forms),
                    seconds=sample.seconds(list(clips.values())),
                )
            )
    return missing


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
