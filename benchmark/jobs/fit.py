"""Fitting heads: each is trained once, saved to the store, and loaded from there."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from nserbench.benchmark.jobs.head import (
    FitLog,
    dev_rows,
    empty_head,
    fresh_head,
    load_head,
    log_of,
    save_head,
    seeds_of,
    statistics_of,
    train_rows,
    training_labels,
    weights_by_layer,
)
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.store.concatenated import ConcatenatedFeatures
from nserbench.benchmark.store.feature_store import FeatureReader, Store
from nserbench.benchmark.training.batch_streams import HeadTraining
from nserbench.benchmark.training.fit_one import predict, train_head
from nserbench.benchmark.training.fit_stack import can_stack, fit_together
from nserbench.benchmark.training.gpu_source import on_device
from nserbench.benchmark.training.loss import EpochLog
from nserbench.benchmark.training.sources import (
    FeatureSource,
    FrameSource,
    PooledSource,
    layer_indices,
)
from nserbench.downstreams.base import Recipe
from nserbench.errors import NserbenchError
from nserbench.progress import Progress, ignore_epochs
from nserbench.upstreams.groups import GroupSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FitResult:
    """The predictions of a fitted head on the test set of its fold.

    Attributes:
        rows: ``(n,)`` the tested utterances, as positions in the corpus.
        probabilities: ``(n, classes)`` float64.
        log: The log of the training.
        layer_weights: Layer weights of the head, by group and number of the layer.
    """

    rows: Tensor
    probabilities: Tensor
    log: FitLog
    layer_weights: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class JobFeatures:
    """The features that a job's head reads.

    Attributes:
        test: Features in the cell's condition, a row for each utterance.
        training: Features in all training conditions, one condition after another.
    """

    test: FeatureSource
    training: FeatureSource


def open_sources(job: Job, store: Store, device: str = "cpu") -> JobFeatures:
    """Open the features that a job's head reads.

    Args:
        job: The job.
        store: Where the features are.
        device: Where the head is trained and tested.
    """

    def open_source(features: FeatureReader, keys: Sequence[str]) -> FeatureSource:
        stored, wanted, form = job.stored, job.cell.groups, job.cell.form
        if form == "pooled":
            return PooledSource(features, keys, stored, wanted)
        return on_device(FrameSource(features, keys, stored, wanted, form), device)

    test = open_source(job.extraction.features(store), job.keys)
    if job.matched:
        return JobFeatures(test, test)
    return JobFeatures(test, open_source(*training_features(job, store)))


def fit_fold(
    fit: Fit,
    sources: JobFeatures,
    store: Store,
    device: str,
    on_epoch: Callable[[int], None] = ignore_epochs,
) -> FitResult:
    """Train a head on one fold, or load it from the store, and test it.

    Args:
        fit: The head and its fold.
        sources: What the head reads; see `open_sources`.
        store: Where fitted heads are.
        device: Where to train.
        on_epoch: Called with the number of epochs that are done: all at once for a head
            that is loaded.

    Raises:
        NserbenchError: if the training diverges.
    """
    head, log = fitted_head(fit, sources, store, device, on_epoch)
    test = torch.tensor(fit.split.test)
    probabilities = predict(head, sources.test, test, device)
    return FitResult(test, probabilities, log, weights_by_layer(fit.job, head))


def fitted_head(
    fit: Fit,
    sources: JobFeatures,
    store: Store,
    device: str,
    on_epoch: Callable[[int], None] = ignore_epochs,
) -> tuple[nn.Module, FitLog]:
    """Train a head on one fold, or load it from the store; arguments as `fit_fold`.

    Raises:
        NserbenchError: if the training diverges.
    """
    file = fit.file(store)
    if store.holds(file):
        head = empty_head(fit).to(device)
        log = load_head(file, head)
        on_epoch(fit.job.recipe.epochs)
    else:
        head = fresh_head(fit, statistics_of(fit, sources.training)).to(device)
        start, peak = time.perf_counter(), Peak(device)
        epochs = _train_alone(fit, head, sources.training, device, on_epoch)
        log = log_of(fit, head, epochs, time.perf_counter() - start, peak)
        _refuse_diverged(log, fit.job.recipe)
        save_head(file, head, log)
    return head, log


def fit_reference(job: Job, store: Store, device: str) -> list[FitResult]:
    """Fit the pooled head with which a head on frames is compared, fold by fold.

    Returns:
        Its predictions, in the order of the job's splits; empty for a pooled head.
    """
    if job.reference is None:
        return []
    results = []
    for fold in job.reference.folds(store):
        sources = open_sources(fold, store, device)
        results += [
            fit_fold(Fit(fold, split), sources, store, device) for split in fold.splits
        ]
    return results


def fit_stacks(
    jobs: Sequence[Job],
    store: Store,
    device: str,
    progress: Progress,
    is_fatal: Callable[[BaseException], bool],
) -> None:
    """Train missing heads that can be trained together, and save them.

    A head that cannot be built, or whose training fails or diverges, is not saved, so
    that its own cell trains it again and reports the error.

    Args:
        jobs: Jobs of one upstream on one corpus in one condition.
        store: Where the features are and the fitted heads go.
        device: Where to train.
        progress: Receives every stack.
        is_fatal: Whether an error ends the run.
    """

    def attempt(act: Callable[[], T]) -> T | None:
        try:
            with own_state():  # what one head changes is not for the next
                return act()
        except BaseException as error:
            if is_fatal(error):
                raise
            return None

    stacks: dict[tuple[object, ...], list[_StackedFit]] = defaultdict(list)
    for fits in missing_fits(jobs, store):
        if fits[0].job.cell.reads_frames:
            continue
        source = open_sources(fits[0].job, store).training
        for fit in fits:
            training = attempt(partial(_head_training, fit, source))
            if training is not None and can_stack(training.head):
                stacked = _StackedFit(fit, training)
                stacks[stacked.shape].append(stacked)
    several = [stack for stack in stacks.values() if len(stack) > 1]
    if several:
        epochs = sum(one.training.epochs for stack in several for one in stack)
        count = sum(map(len, several))
        progress.stage(f"training {count} heads together", epochs, "epochs")
    for stack in several:
        attempt(partial(_fit_stack, stack, store, device, progress.advance))


def missing_fits(jobs: Sequence[Job], store: Store) -> Iterator[list[Fit]]:
    """Yield the fits of each head that the store lacks, each fit once."""
    seen: set[Path] = set()
    heads = chain.from_iterable(job.heads for job in jobs)
    for job in chain.from_iterable(head.folds(store) for head in heads):
        files = {fit.file(store): fit for fit in (Fit(job, s) for s in job.splits)}
        new = [f for f in files if f not in seen and not store.holds(f)]
        seen.update(new)
        if new:
            yield [files[file] for file in new]


@dataclass(frozen=True, slots=True)
class _StackedFit:
    """A missing fit of a pooled head, with the head to train."""

    fit: Fit
    training: HeadTraining

    @property
    def shape(self) -> tuple[object, ...]:
        """The shape of the stack that it belongs to."""
        return stack_shape(self.fit, self.training.head)


def stack_shape(fit: Fit, built: nn.Module) -> tuple[object, ...]:
    """Return what is equal for heads that are trained together.

    They differ in weights and layer alone, and read the same features.

    Args:
        fit: The head and its fold.
        built: The head, trained or not.
    """
    job, head = fit.job, fit.job.cell.downstream
    options = {**head.key_options(), "layer": None}
    sizes = [(name, value.shape) for name, value in built.state_dict().items()]
    features = str([part.extraction.identity for part in job.training])
    recipe = replace(job.recipe, epochs=0)
    return str(head.card.identity), str(options), str(sizes), features, recipe


def _fit_stack(
    stack: Sequence[_StackedFit],
    store: Store,
    device: str,
    on_epoch: Callable[[int], None],
) -> None:
    start, peak = time.perf_counter(), Peak(device)
    job = stack[0].fit.job
    groups = {
        name: _spanned(name, spec, stack) for name, spec in job.cell.groups.items()
    }
    source = PooledSource(*training_features(job, store), job.stored, groups)
    lowest = {
        name: layer_indices(job.stored[name], spec.layers).start
        for name, spec in groups.items()
    }
    trainings = [stacked.training.lowered(lowest) for stacked in stack]
    logs = _train_together(job, trainings, source, device, on_epoch)
    seconds = (time.perf_counter() - start) / len(stack)
    for stacked, epochs in zip(stack, logs, strict=True):
        if epochs.diverged is None:
            head = stacked.training.head
            log = log_of(stacked.fit, head, epochs, seconds, peak)
            save_head(stacked.fit.file(store), head, log)


def _spanned(name: str, spec: GroupSpec, stack: Sequence[_StackedFit]) -> GroupSpec:
    """Return a group with the layers from the first to the last that a stack reads."""
    read = [stacked.fit.job.cell.groups[name].layers for stacked in stack]
    first, stop = min(layers.start for layers in read), max(r.stop for r in read)
    return replace(spec, layers=range(first, stop))


def training_features(job: Job, store: Store) -> tuple[FeatureReader, Sequence[str]]:
    """Return the features in all training conditions, and the key of each row."""
    if len(job.training) == 1:
        (part,) = job.training
        return part.extraction.features(store), part.keys
    features = [part.extraction.features(store) for part in job.training]
    return ConcatenatedFeatures(features), ConcatenatedFeatures.keys(
        [part.keys for part in job.training]
    )


def _head_training(fit: Fit, source: FeatureSource) -> HeadTraining:
    job = fit.job
    return HeadTraining(
        fresh_head(fit, statistics_of(fit, source)),
        job.layers,
        train_rows(fit),
        job.recipe.epochs,
        seeds_of(fit),
        dev_rows(fit),
    )


def _train_together(
    job: Job,
    trainings: Sequence[HeadTraining],
    source: PooledSource,
    device: str,
    on_epoch: Callable[[int], None],
) -> list[EpochLog]:
    labels, classes = training_labels(job), len(job.opened.corpus.classes)
    return fit_together(
        trainings, source.states, labels, classes, job.recipe, device, on_epoch
    )


def _train_alone(
    fit: Fit,
    head: nn.Module,
    source: FeatureSource,
    device: str,
    on_epoch: Callable[[int], None],
) -> EpochLog:
    if can_stack(head) and isinstance(source, PooledSource):
        layers = {name: range(len(states)) for name, states in source.states.items()}
        training = replace(_head_training(fit, source), head=head, layers=layers)
        return _train_together(fit.job, [training], source, device, on_epoch)[0]
    return train_head(
        head,
        source,
        train_rows(fit),
        training_labels(fit.job),
        len(fit.job.opened.corpus.classes),
        fit.job.recipe,
        seeds_of(fit),
        device,
        dev_rows(fit),
        on_epoch,
    )


def _refuse_diverged(log: FitLog, recipe: Recipe) -> None:
    if (epoch := log.epochs.diverged) is not None:
        raise NserbenchError(
            f"training diverged: the loss of epoch {epoch} is "
            f"{log.epochs.losses[epoch - 1]} (learning rate {recipe.learning_rate:g})"
            "\n  try a smaller learning rate: add +learning_rate="
            f"{recipe.learning_rate / 10:g} to the protocol's name"
        )
