"""What a study would cost, from a measured sample of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from nserbench.benchmark.catalogue import is_done
from nserbench.benchmark.digests import digest
from nserbench.benchmark.extraction import lacking
from nserbench.benchmark.outcome import job_folder
from nserbench.benchmark.prepare import Job, prepare
from nserbench.benchmark.progress import Progress
from nserbench.benchmark.store import Store
from nserbench.benchmark.study import Study
from nserbench.benchmark.survey import Clip
from nserbench.cards import Bound
from nserbench.downstreams.base import Recipe, Tier
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, UpstreamCard

_BYTES = {"pooled": 4, "frames": 2}


@dataclass(frozen=True, slots=True)
class Pass:
    """An upstream over the utterances of a condition that the store lacks.

    Attributes:
        upstream: Its label.
        corpus: Its label.
        condition: As in tables.
        utterances: That are missing.
        tiers: That are missing.
        size: Bytes that it will add to the store.
        seconds: That it will take.
    """

    upstream: str
    corpus: str
    condition: str
    utterances: int
    tiers: tuple[Tier, ...]
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """An upstream heard one clip of middle length.

    Attributes:
        features: What it gave, a batch of one.
        seconds: That it took.
    """

    features: LayeredFeatures
    seconds: float

    def size(self, tier: Tier) -> int:
        """Give the bytes that the clip takes in the store."""
        values = sum(
            group.states.numel() // (group.states.shape[2] if tier == "pooled" else 1)
            for group in self.features.values()
        )
        return values * _BYTES[tier]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a study would cost.

    Attributes:
        missing: Cells to run.
        there: Cells that have a result.
        refused: Cells that cannot exist, with the reason.
        passes: Over upstreams.
        training: Seconds for all heads.
    """

    missing: int
    there: int
    refused: Sequence[str]
    passes: Sequence[Pass]
    training: float

    def as_json(self) -> dict[str, object]:
        """Give it as JSON can hold it."""
        return asdict(self)


def estimate(
    study: Study, store: Store, results: Path, device: str, progress: Progress
) -> Estimate:
    """Look at what is missing, and time a sample of it.

    Raises:
        NserbenchError: if audio or weights cannot be used.
    """
    jobs = prepare(study, store, progress)
    todo = [job for job in jobs if not is_done(results / job_folder(job))]
    samples: dict[str, Sample] = {}
    for job in todo:
        label = job.cell.upstream.label
        if label not in samples:
            progress.note(f"timing {label}")
            samples[label] = take_sample(job.cell.upstream, job, device)
    steps: dict[tuple[str, str], float] = {}
    training = 0.0
    for job in todo:
        pair = job.cell.upstream.label, job.cell.downstream.label
        if pair not in steps:
            steps[pair] = step_seconds(job, samples[pair[0]], device)
        training += steps[pair] * step_count(job)
    return Estimate(
        missing=len(todo),
        there=len(jobs) - len(todo),
        refused=[f"{one}: {one.refused}" for one in study.cells if one.refused],
        passes=passes(todo, store, samples),
        training=training,
    )


def take_sample(upstream: Bound[UpstreamCard], job: Job, device: str) -> Sample:
    """Load an upstream and let it hear a clip of middle length, twice.

    Raises:
        NserbenchError: if it cannot be loaded.
    """
    loaded = upstream.card.open(upstream.options, device)
    clip = middle(job.clips)
    one = clip.utterance
    batch = Batch([one.id], [job.extraction.wave(clip)], [one.text], [one.language])
    loaded.extract(batch)  # the first pass warms up
    began = time.perf_counter()
    features = loaded.extract(batch)
    return Sample(features, time.perf_counter() - began)


def middle(clips: Sequence[Clip]) -> Clip:
    """Give the clip whose length is nearest to the mean."""
    mean = sum(clip.samples for clip in clips) / len(clips)
    return min(clips, key=lambda clip: abs(clip.samples - mean))


def passes(jobs: Sequence[Job], store: Store, samples: dict[str, Sample]) -> list[Pass]:
    """Give the upstream passes that the jobs need.

    Args:
        jobs: Cells that are to be run.
        store: What is there already.
        samples: By the upstream's label.
    """
    found = []
    for here in _by_pass(jobs):
        wanted: list[Tier] = ["pooled"]
        if any(job.cell.downstream.card.tier == "frames" for job in here):
            wanted.append("frames")
        job = here[0]
        upstream, corpus = job.cell.upstream.label, job.cell.corpus.label
        sample = samples[upstream]
        clips, tiers = lacking(job.features(store), job.keyed, wanted)
        if clips:
            found.append(
                Pass(
                    upstream,
                    corpus,
                    str(job.cell.condition),
                    len(clips),
                    tuple(tiers),
                    len(clips) * sum(sample.size(tier) for tier in tiers),
                    len(clips) * sample.seconds,
                )
            )
    return found


def step_count(job: Job) -> int:
    """Give the training steps of a cell, all folds and epochs."""
    recipe = Recipe(**job.protocol["recipe"])
    folds = [len(split.train) for split in job.opened.splits]
    return recipe.epochs * sum(-(-size // recipe.batch_size) for size in folds)


def step_seconds(job: Job, sample: Sample, device: str) -> float:
    """Time a training step of a head on copies of the sample."""
    recipe = Recipe(**job.protocol["recipe"])
    head = job.cell.downstream
    classes = len(job.opened.corpus.classes)
    built = head.card.build(job.cell.groups, classes, head.options).to(device)
    batch = _batch(job, sample, recipe.batch_size, device)
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


def _batch(job: Job, sample: Sample, size: int, device: str) -> LayeredFeatures:
    pooled = job.cell.downstream.card.tier == "pooled"
    found = {}
    for name, spec in job.cell.groups.items():
        first = job.stored[name].layers.start
        group = sample.features[name]
        states = group.states[spec.layers.start - first : spec.layers.stop - first]
        if pooled:
            states = states[:, :, :1]
        copies = states.expand(-1, size, -1, -1).contiguous().to(device)
        lengths = torch.full((size,), states.shape[2], device=device)
        found[name] = LayerGroup(copies, lengths)
    return found


def _by_pass(jobs: Sequence[Job]) -> Iterable[list[Job]]:
    """Put jobs together whose features come from one pass over one corpus."""
    found: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        # Not the upstream's label: whisper-enc and whisper-dec share their features.
        name = job.cell.corpus.label, digest(job.extraction.identity)
        found[name].append(job)
    return found.values()
