"""What a study would cost, from a measured sample of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch.nn import functional as F

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, lacking, transcribe_batch
from nserbench.benchmark.extraction.extraction import DigestedModel, Extraction
from nserbench.benchmark.extraction.side_by_side import HeadInput
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import needed, prepare
from nserbench.benchmark.results.index import is_done
from nserbench.benchmark.running.assemble import job_folder
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.study import Study
from nserbench.downstreams.base import Recipe
from nserbench.progress import Progress
from nserbench.upstreams.base import LayeredFeatures, LayerGroup

_BYTES: Mapping[Form, int] = {"pooled": 4, "frames": 2}


@dataclass(frozen=True, slots=True)
class ExtractionPass:
    """An upstream over the utterances of a condition that the store lacks.

    Attributes:
        upstream: Its label.
        corpus: Its label.
        condition: As in tables.
        utterances: That are missing.
        forms: That are missing.
        size: Bytes that it will add to the store.
        seconds: That it will take.
    """

    upstream: str
    corpus: str
    condition: str
    utterances: int
    forms: tuple[Form, ...]
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TimedExtraction:
    """An upstream heard one clip of middle length.

    Attributes:
        features: What it gave, a batch of one.
        seconds: That it took.
    """

    features: LayeredFeatures
    seconds: float

    def size(self, form: Form) -> int:
        """Give the bytes that the clip takes in the store; next to none for text."""
        if form == "transcripts":
            return 0
        values = sum(
            group.states.numel() // (group.states.shape[2] if form == "pooled" else 1)
            for group in self.features.values()
        )
        return values * _BYTES[form]


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a study would cost.

    Attributes:
        missing: Cells to run.
        there: Cells that have a result.
        refused: Cells that cannot exist, with the reason.
        passes: Over upstreams.
        tuning: Seconds for all upstreams that are tuned.
        training: Seconds for all heads.
    """

    missing: int
    there: int
    refused: Sequence[str]
    passes: Sequence[ExtractionPass]
    tuning: float
    training: float

    def as_json(self) -> dict[str, object]:
        """Give it as JSON can hold it."""
        return asdict(self)


def estimate(
    study: Study, store: Store, results: Path, device: str, progress: Progress
) -> CostEstimate:
    """Look at what is missing, and time a sample of it.

    Raises:
        NserbenchError: if audio or weights cannot be used.
    """
    jobs = prepare(study, store, progress)
    todo = [job for job in jobs if not is_done(results / job_folder(job))]
    needs = all_needs(todo, store)
    models, samples = ModelCache(device), dict[str, TimedExtraction]()
    for need in needs:
        timed = as_it_came(need.extraction)
        if timed.models not in samples:
            progress.note(f"timing {need.extraction.upstream.bound.label}")
            samples[timed.models] = take_sample(timed, need.clips, models)
    steps: dict[tuple[str, str], float] = {}
    training = 0.0
    for job in chain.from_iterable(one.alternatives for one in todo):
        pair = job.cell.upstream.label, job.cell.downstream.label
        if pair not in steps:
            heard = sampled_features(job.extraction, samples)
            steps[pair] = step_seconds(job, heard, device)
        training += steps[pair] * step_count(job)
    return CostEstimate(
        missing=len(todo),
        there=len(jobs) - len(todo),
        refused=[f"{one}: {one.refused}" for one in study.cells if one.refused],
        passes=passes(needs, store, samples),
        tuning=tuning_seconds(todo, store, samples),
        training=training,
    )


def together(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Add up what several studies would cost, a pass that they share once."""
    shared = {
        (one.upstream, one.corpus, one.condition, one.forms): one
        for one in chain.from_iterable(each.passes for each in estimates)
    }
    return CostEstimate(
        missing=sum(one.missing for one in estimates),
        there=sum(one.there for one in estimates),
        refused=list(chain.from_iterable(one.refused for one in estimates)),
        passes=list(shared.values()),
        tuning=sum(one.tuning for one in estimates),
        training=sum(one.training for one in estimates),
    )


def as_it_came(extraction: Extraction) -> Extraction:
    """Give an extraction whose models take as long: tuned or not, they are as large."""
    upstream = DigestedModel(extraction.upstream.bound, "")
    return replace(extraction, upstream=upstream)


def sampled_features(
    extraction: HeadInput, samples: Mapping[str, TimedExtraction]
) -> LayeredFeatures:
    """Give what all upstreams of a cell gave for their samples.

    Args:
        extraction: What the cell reads.
        samples: By `Extraction.models`.
    """
    return {
        f"{name}.{group}".lstrip("."): states
        for name, one in extraction.parts.items()
        for group, states in samples[as_it_came(one).models].features.items()
    }


def tuning_seconds(
    jobs: Sequence[Job], store: Store, samples: Mapping[str, TimedExtraction]
) -> float:
    """Tell how long the tunings that are missing would take.

    A step with gradients is taken as three passes: one forward, two backward.

    Args:
        jobs: Those to run.
        store: Where tuned weights are.
        samples: By `Extraction.models`.
    """
    found: dict[Path, float] = {}
    for job in chain.from_iterable(one.alternatives for one in jobs):
        if (tuning := job.tuning) is None:
            continue
        heard = samples[as_it_came(job.extraction.alone).models].seconds
        epochs = len(job.training) * tuning.joint.recipe.epochs
        for split in job.splits:
            found[tuning.file(split, store)] = 3 * heard * epochs * len(split.train)
    return sum(seconds for file, seconds in found.items() if not file.exists())


def take_sample(
    extraction: Extraction, clips: Sequence[Clip], models: ModelCache
) -> TimedExtraction:
    """Let an upstream hear a clip of middle length, twice, and time the second.

    Raises:
        NserbenchError: if it cannot be loaded.
    """
    loaded, clip = models.open(extraction), middle(clips)
    texts: Sequence[str | None] = [clip.utterance.text]
    if (writer := extraction.transcripts) is not None:
        transcriber = models.open(writer)
        batch = writer.batch([clip], [None], transcriber.enhancer)
        texts = transcribe_batch(transcriber.upstream, batch)
    for _ in range(2):  # the first pass warms up
        began = time.perf_counter()
        batch = extraction.batch([clip], texts, loaded.enhancer)
        features = loaded.upstream.extract(batch)
    return TimedExtraction(features, time.perf_counter() - began)


def middle(clips: Sequence[Clip]) -> Clip:
    """Give the clip whose length is nearest to the mean."""
    mean = sum(clip.samples for clip in clips) / len(clips)
    return min(clips, key=lambda clip: abs(clip.samples - mean))


@dataclass(frozen=True, slots=True)
class NeededFeatures:
    """Features of a corpus in a condition, and the forms that some job wants."""

    corpus: str
    extraction: Extraction
    clips: Sequence[Clip]
    forms: list[Form]


def all_needs(jobs: Sequence[Job], store: Store) -> list[NeededFeatures]:
    """Give what jobs need, each once, transcripts before those who read them."""
    found: dict[tuple[str, str], NeededFeatures] = {}

    def want(job: Job, extraction: Extraction, forms: Sequence[Form]) -> None:
        if extraction.transcripts is not None:
            want(job, extraction.transcripts, ["transcripts"])
        # Not the upstream's label: whisper-enc and whisper-dec share their features.
        name = job.cell.corpus.label, digest(extraction.identity)
        need = NeededFeatures(job.cell.corpus.label, extraction, job.clips, [])
        held = found.setdefault(name, need).forms
        held += [form for form in forms if form not in held]

    shown = chain.from_iterable(one.alternatives for one in jobs)
    for job in chain.from_iterable(one.folds(store) for one in shown):
        read = [*(part.extraction for part in job.training), job.extraction]
        for one in chain.from_iterable(each.parts.values() for each in read):
            want(job, one, needed([job], one))
    return list(found.values())


def passes(
    needs: Sequence[NeededFeatures],
    store: Store,
    samples: Mapping[str, TimedExtraction],
) -> list[ExtractionPass]:
    """Give the upstream passes for what the store lacks.

    Args:
        needs: What is needed.
        store: What is there already.
        samples: By `Extraction.models`.
    """
    found = []
    for need in needs:
        one = need.extraction
        clips, forms = lacking(one, need.clips, need.forms, store)
        if clips:
            sample = samples[as_it_came(one).models]
            size = sum(sample.size(form) for form in forms)
            found.append(
                ExtractionPass(
                    one.upstream.bound.label,
                    need.corpus,
                    one.condition,
                    len(clips),
                    tuple(forms),
                    len(clips) * size,
                    len(clips) * sample.seconds,
                )
            )
    return found


def step_count(job: Job) -> int:
    """Give the training steps of a cell, all folds and epochs."""
    recipe = Recipe(**job.protocol["recipe"])
    folds = [len(split.train) for split in job.opened.splits]
    return recipe.epochs * sum(-(-size // recipe.batch_size) for size in folds)


def step_seconds(job: Job, heard: LayeredFeatures, device: str) -> float:
    """Time a training step of a head on copies of the features of one clip."""
    recipe = Recipe(**job.protocol["recipe"])
    head = job.cell.downstream
    classes = len(job.opened.corpus.classes)
    built = head.card.build(job.cell.groups, classes, head.options).to(device)
    batch = _batch(job, heard, recipe.batch_size, device)
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


def _batch(job: Job, heard: LayeredFeatures, size: int, device: str) -> LayeredFeatures:
    pooled = not job.cell.reads_frames
    found = {}
    for name, spec in job.cell.groups.items():
        first = job.stored[name].layers.start
        group = heard[name]
        states = group.states[spec.layers.start - first : spec.layers.stop - first]
        if pooled:
            states = states[:, :, :1]
        copies = states.expand(-1, size, -1, -1).contiguous().to(device)
        lengths = torch.full((size,), states.shape[2], device=device)
        found[name] = LayerGroup(copies, lengths)
    return found
