"""Fitted heads: trained once, kept in the store, read back by whoever needs them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from nserbench.benchmark.jobs.head import (
    FitLog,
    class_numbers,
    empty_head,
    fresh_head,
    head_file,
    load_head,
    log_of,
    save_head,
    seeds_of,
    statistics_of,
    trained_rows,
    weights_by_layer,
)
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.store.concatenated import ConcatenatedFeatures
from nserbench.benchmark.store.feature_store import FeatureReader, Store
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.fit_one import fit, predict
from nserbench.benchmark.training.fit_stack import can_stack, fit_together
from nserbench.benchmark.training.gpu_source import on_device
from nserbench.benchmark.training.loss import EpochLog
from nserbench.benchmark.training.sources import (
    FeatureSource,
    FrameSource,
    PooledSource,
    places,
)
from nserbench.benchmark.training.streams import HeadTraining
from nserbench.downstreams.base import Recipe
from nserbench.errors import NserbenchError
from nserbench.progress import Progress
from nserbench.upstreams.base import GroupSpec


@dataclass(frozen=True, slots=True)
class FitResult:
    """A fold's answers.

    Attributes:
        rows: ``(n,)`` places in the corpus's utterances.
        probabilities: ``(n, classes)`` float64.
        log: How the head was fitted.
        layers: What each layer counts in it, by group and number of the layer.
    """

    rows: Tensor
    probabilities: Tensor
    log: FitLog
    layers: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class JobFeatures:
    """The features that a job's head reads.

    Attributes:
        test: In the cell's condition, a row for each utterance.
        training: In the conditions that it is trained on, one after another.
    """

    test: FeatureSource
    training: FeatureSource


def open_sources(job: Job, store: Store, device: str = "cpu") -> JobFeatures:
    """Open the features that a job's head reads.

    Args:
        job: Whose.
        store: Where they are.
        device: Where they are used.
    """
    kind = FrameSource if job.cell.reads_frames else PooledSource

    def open_one(features: FeatureReader, keys: Sequence[str]) -> FeatureSource:
        return on_device(kind(features, keys, job.stored, job.cell.groups), device)

    test = open_one(job.extraction.features(store), job.keys)
    if job.matched:
        return JobFeatures(test, test)
    return JobFeatures(test, open_one(*trained_features(job, store)))


def fit_fold(
    job: Job, split: Split, sources: JobFeatures, store: Store, device: str
) -> FitResult:
    """Fit a head on one fold's training part, or read it back, and test it.

    Args:
        job: The cell; where the upstream is tuned, its `Job.fold`.
        split: The fold.
        sources: What the head reads; see `open_sources`.
        store: Where the fit goes.
        device: Where to train.

    Raises:
        NserbenchError: if the training diverges.
    """
    file = head_file(job, split, store)
    if file.exists():
        head = empty_head(job, split).to(device)
        log = load_head(file, head)
    else:
        statistics = statistics_of(job, split, sources.training)
        head = fresh_head(job, split, statistics).to(device)
        began, peak = time.perf_counter(), Peak(device)
        epochs = _fit_alone(job, split, head, sources.training, device)
        log = log_of(head, epochs, time.perf_counter() - began, peak.bytes)
        _refuse_diverged(log, job.recipe)
        save_head(file, head, log)
    test = torch.tensor(split.test)
    answers = predict(head, sources.test, test, device)
    return FitResult(test, answers, log, weights_by_layer(job, head))


def fit_reference(job: Job, store: Store, device: str) -> list[FitResult]:
    """Fit, or read back, the pooled head that a job is held against, fold by fold.

    Returns:
        Its answers, in the order of the job's splits; empty for a pooled head.
    """
    if job.reference is None:
        return []
    found = []
    for fold in job.reference.folds(store):
        sources = open_sources(fold, store, device)
        found += [fit_fold(fold, one, sources, store, device) for one in fold.splits]
    return found


def fit_stacks(
    jobs: Sequence[Job], store: Store, device: str, progress: Progress
) -> None:
    """Fit what is missing of heads that can be trained together, and keep it.

    A fit that diverges is not kept, so that its own cell meets it again, and says so.

    Args:
        jobs: Of one extraction.
        store: Where the features are and the fits go.
        device: Where to train.
        progress: Hears of every stack.
    """
    stacks: dict[tuple[object, ...], list[_MissingFit]] = defaultdict(list)
    for job, splits in _missing(jobs, store):
        source = open_sources(job, store).training
        for split in splits:
            one = _MissingFit(job, split, _run(job, split, source))
            if can_stack(one.run.head):
                stacks[one.shape].append(one)
    several = [stack for stack in stacks.values() if len(stack) > 1]
    if several:
        progress.stage("training heads together", sum(map(len, several)), "fits")
    for stack in several:
        _fit_stack(stack, store, device)
        progress.advance(len(stack))


def _missing(
    jobs: Sequence[Job], store: Store
) -> Iterator[tuple[Job, Sequence[Split]]]:
    """Give pooled heads with the folds that lack a fit, each fit once."""
    claimed: set[Path] = set()
    shown = chain.from_iterable(one.heads for one in jobs)
    for job in chain.from_iterable(one.folds(store) for one in shown):
        if not job.cell.reads_frames:
            files = {head_file(job, one, store): one for one in job.splits}
            new = [file for file in files if file not in claimed and not file.exists()]
            claimed.update(new)
            if new:
                yield job, [files[file] for file in new]


@dataclass(frozen=True, slots=True)
class _MissingFit:
    """A fit of a pooled head that the store lacks."""

    job: Job
    split: Split
    run: HeadTraining

    @property
    def shape(self) -> tuple[object, ...]:
        """Equal for heads that are one function of weights and the same features."""
        job, head = self.job, self.job.cell.downstream
        options = {**head.key_options(), "layer": None}
        sizes = [(name, one.shape) for name, one in self.run.head.state_dict().items()]
        features = str([part.extraction.identity for part in job.training])
        recipe = replace(job.recipe, epochs=0)
        return str(head.card.identity), str(options), str(sizes), features, recipe


def _fit_stack(stack: Sequence[_MissingFit], store: Store, device: str) -> None:
    began, peak = time.perf_counter(), Peak(device)
    job = stack[0].job
    groups = {
        name: _spanned(name, spec, stack) for name, spec in job.cell.groups.items()
    }
    source = PooledSource(*trained_features(job, store), job.stored, groups)
    lowest = {
        name: places(job.stored[name], one.layers).start for name, one in groups.items()
    }
    runs = [one.run.lowered(lowest) for one in stack]
    seen = _together(job, runs, source, device)
    seconds = (time.perf_counter() - began) / len(stack)
    held = peak.bytes
    for one, epochs in zip(stack, seen, strict=True):
        if epochs.diverged is None:
            file = head_file(one.job, one.split, store)
            head = one.run.head
            save_head(file, head, log_of(head, epochs, seconds, held))


def _spanned(name: str, spec: GroupSpec, stack: Sequence[_MissingFit]) -> GroupSpec:
    """Give a group with the layers from the first to the last that a stack reads."""
    read = [one.job.cell.groups[name].layers for one in stack]
    return replace(
        spec,
        layers=range(min(one.start for one in read), max(one.stop for one in read)),
    )


def trained_features(job: Job, store: Store) -> tuple[FeatureReader, Sequence[str]]:
    """Give the features that a head is trained on, and the key of each row."""
    if len(job.training) == 1:
        (part,) = job.training
        return part.extraction.features(store), part.keys
    features = [part.extraction.features(store) for part in job.training]
    return ConcatenatedFeatures(features), ConcatenatedFeatures.keys(
        [part.keys for part in job.training]
    )


def _run(job: Job, split: Split, source: FeatureSource) -> HeadTraining:
    layers = {
        name: places(job.stored[name], spec.layers)
        for name, spec in job.cell.groups.items()
    }
    return HeadTraining(
        fresh_head(job, split, statistics_of(job, split, source)),
        layers,
        trained_rows(job, split.train),
        job.recipe.epochs,
        seeds_of(job, split),
        trained_rows(job, split.dev) if split.dev else None,
    )


def _together(
    job: Job, runs: Sequence[HeadTraining], source: PooledSource, device: str
) -> list[EpochLog]:
    labels = class_numbers(job).repeat(len(job.training))
    classes = len(job.opened.corpus.classes)
    return fit_together(runs, source.states, labels, classes, job.recipe, device)


def _fit_alone(
    job: Job, split: Split, head: nn.Module, source: FeatureSource, device: str
) -> EpochLog:
    if can_stack(head) and isinstance(source, PooledSource):
        layers = {name: range(len(one)) for name, one in source.states.items()}
        run = replace(_run(job, split, source), head=head, layers=layers)
        return _together(job, [run], source, device)[0]
    return fit(
        head,
        source,
        trained_rows(job, split.train),
        class_numbers(job).repeat(len(job.training)),
        len(job.opened.corpus.classes),
        job.recipe,
        seeds_of(job, split),
        device,
        trained_rows(job, split.dev) if split.dev else None,
    )


def _refuse_diverged(log: FitLog, recipe: Recipe) -> None:
    if (epoch := log.epochs.diverged) is not None:
        raise NserbenchError(
            f"training diverged: the loss of epoch {epoch} is "
            f"{log.epochs.losses[epoch - 1]} (learning rate {recipe.learning_rate:g})"
        )
