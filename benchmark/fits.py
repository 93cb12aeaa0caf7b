"""Fitted heads: trained once, kept in the store, read back by whoever needs them."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nserbench.benchmark.features import FrameSource, PooledSource, Source, places
from nserbench.benchmark.joined import Joined
from nserbench.benchmark.objective import Epochs
from nserbench.benchmark.prepare import Job
from nserbench.benchmark.progress import Progress
from nserbench.benchmark.shards import write_whole
from nserbench.benchmark.splits import Split
from nserbench.benchmark.stacking import Run, can_stack, fit_together
from nserbench.benchmark.store import Reader, Store
from nserbench.benchmark.training import (
    Chance,
    Standardised,
    fit,
    predict,
    seeded,
)
from nserbench.downstreams.base import Recipe
from nserbench.errors import NserbenchError, StoreDamaged
from nserbench.upstreams.base import GroupSpec


@dataclass(frozen=True, slots=True)
class FitLog:
    """How a fit went.

    Attributes:
        epochs: What was seen of the training.
        seconds: That it took; its share where heads were trained together.
        parameters: Trainable ones of the head.
    """

    epochs: Epochs
    seconds: float
    parameters: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fold's answers.

    Attributes:
        rows: ``(n,)`` places in the corpus's utterances.
        probabilities: ``(n, classes)`` float64.
        log: How the head was fitted.
    """

    rows: Tensor
    probabilities: Tensor
    log: FitLog


@dataclass(frozen=True, slots=True)
class Sources:
    """The features that a job's head reads.

    Attributes:
        test: In the cell's condition, a row for each utterance.
        training: In the conditions that it is trained on, one after another.
    """

    test: Source
    training: Source


def open_sources(job: Job, store: Store) -> Sources:
    """Open the features that a job's head reads."""
    kind = PooledSource if job.cell.downstream.card.tier == "pooled" else FrameSource
    groups = job.cell.groups
    test = kind(job.features(store), job.keys, job.stored, groups)
    if job.matched:
        return Sources(test, test)
    return Sources(test, kind(*_trained(job, store), job.stored, groups))


def fit_fold(
    job: Job, split: Split, sources: Sources, store: Store, device: str
) -> Fitted:
    """Fit a head on one fold's training part, or read it back, and test it.

    Raises:
        NserbenchError: if the training diverges.
    """
    head = _fresh(job, split, sources.training).to(device)
    file = _file(job, split, store)
    if file.exists():
        log = _load(file, head)
    else:
        began = time.perf_counter()
        epochs = _fit_alone(job, split, head, sources.training, device)
        log = _log(head, epochs, time.perf_counter() - began)
        _refuse_diverged(log, _recipe(job))
        _save(file, head, log)
    test = torch.tensor(split.test)
    return Fitted(test, predict(head, sources.test, test, device), log)


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
    stacks: dict[tuple[object, ...], list[_Missing]] = defaultdict(list)
    for job, splits in _missing(jobs, store):
        source = open_sources(job, store).training
        for split in splits:
            one = _Missing(job, split, _run(job, split, source))
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
    for job in chain.from_iterable(one.candidates or [one] for one in jobs):
        if job.cell.downstream.card.tier == "pooled":
            files = {_file(job, one, store): one for one in job.opened.splits}
            new = [file for file in files if file not in claimed and not file.exists()]
            claimed.update(new)
            if new:
                yield job, [files[file] for file in new]


@dataclass(frozen=True, slots=True)
class _Missing:
    """A fit of a pooled head that the store lacks."""

    job: Job
    split: Split
    run: Run

    @property
    def shape(self) -> tuple[object, ...]:
        """Equal for heads that are one function of weights and the same features."""
        job, head = self.job, self.job.cell.downstream
        options = {**head.key_options(), "layer": None}
        sizes = [(name, one.shape) for name, one in self.run.head.state_dict().items()]
        features = str([part.extraction.identity for part in job.training])
        recipe = replace(_recipe(job), epochs=0)
        return head.card.load, str(options), str(sizes), features, recipe


def _fit_stack(stack: Sequence[_Missing], store: Store, device: str) -> None:
    began = time.perf_counter()
    job = stack[0].job
    groups = {
        name: _spanned(name, spec, stack) for name, spec in job.cell.groups.items()
    }
    source = PooledSource(*_trained(job, store), job.stored, groups)
    lowest = {
        name: places(job.stored[name], one.layers).start for name, one in groups.items()
    }
    runs = [one.run.lowered(lowest) for one in stack]
    seen = _together(job, runs, source, device)
    seconds = (time.perf_counter() - began) / len(stack)
    for one, epochs in zip(stack, seen, strict=True):
        if epochs.diverged is None:
            head = one.run.head
            _save(_file(one.job, one.split, store), head, _log(head, epochs, seconds))


def _spanned(name: str, spec: GroupSpec, stack: Sequence[_Missing]) -> GroupSpec:
    """Give a group with the layers from the first to the last that a stack reads."""
    read = [one.job.cell.groups[name].layers for one in stack]
    return replace(
        spec,
        layers=range(min(one.start for one in read), max(one.stop for one in read)),
    )


def _trained(job: Job, store: Store) -> tuple[Reader, Sequence[str]]:
    """Give the features that a head is trained on, and the key of each row."""
    if len(job.training) == 1:
        (part,) = job.training
        return store.features(part.extraction.identity), part.keys
    features = [store.features(part.extraction.identity) for part in job.training]
    return Joined(features), Joined.keys([part.keys for part in job.training])


def _rows(job: Job, rows: Sequence[int]) -> Tensor:
    """Give utterances as rows of what is trained on, in every condition of it."""
    starts = torch.arange(len(job.training)) * len(job.clips)
    return (starts[:, None] + torch.tensor(rows)).flatten()


def _run(job: Job, split: Split, source: Source) -> Run:
    layers = {
        name: places(job.stored[name], spec.layers)
        for name, spec in job.cell.groups.items()
    }
    return Run(
        _fresh(job, split, source),
        layers,
        _rows(job, split.train),
        _recipe(job).epochs,
        _chance(job, split),
        _rows(job, split.dev) if split.dev else None,
    )


def _together(
    job: Job, runs: Sequence[Run], source: PooledSource, device: str
) -> list[Epochs]:
    labels = class_numbers(job).repeat(len(job.training))
    classes = len(job.opened.corpus.classes)
    return fit_together(runs, source.states, labels, classes, _recipe(job), device)


def _fit_alone(
    job: Job, split: Split, head: nn.Module, source: Source, device: str
) -> Epochs:
    if can_stack(head) and isinstance(source, PooledSource):
        layers = {name: range(len(one)) for name, one in source.states.items()}
        run = replace(_run(job, split, source), head=head, layers=layers)
        return _together(job, [run], source, device)[0]
    return fit(
        head,
        source,
        _rows(job, split.train),
        class_numbers(job).repeat(len(job.training)),
        len(job.opened.corpus.classes),
        _recipe(job),
        _chance(job, split),
        device,
        _rows(job, split.dev) if split.dev else None,
    )


def _chance(job: Job, split: Split) -> Chance:
    return Chance(job.cell.seed, split.fold)


def _recipe(job: Job) -> Recipe:
    return Recipe(**job.protocol["recipe"])


def _file(job: Job, split: Split, store: Store) -> Path:
    return store.fit_file(job.fit_identity(split))


def _log(head: nn.Module, epochs: Epochs, seconds: float) -> FitLog:
    count = sum(one.numel() for one in head.parameters() if one.requires_grad)
    return FitLog(epochs, seconds, count)


def _refuse_diverged(log: FitLog, recipe: Recipe) -> None:
    if (epoch := log.epochs.diverged) is not None:
        raise NserbenchError(
            f"training diverged: the loss of epoch {epoch} is "
            f"{log.epochs.losses[epoch - 1]} (learning rate {recipe.learning_rate:g})"
        )


def _save(file: Path, head: nn.Module, log: FitLog) -> None:
    state = {name: value.contiguous() for name, value in head.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, save(state, {"log": json.dumps(asdict(log))}))


def class_numbers(job: Job) -> Tensor:
    """Give the class number of every utterance."""
    order = {name: place for place, name in enumerate(job.opened.corpus.classes)}
    return torch.tensor([order[clip.utterance.label] for clip in job.clips])


def _fresh(job: Job, split: Split, source: Source) -> nn.Module:
    head = job.cell.downstream
    with seeded(_chance(job, split).start("weights")):
        built = head.card.build(
            job.cell.groups, len(job.opened.corpus.classes), head.options
        )
    if _recipe(job).standardise:
        return Standardised(built, source.statistics(_rows(job, split.train)))
    return built


def _load(file: Path, head: nn.Module) -> FitLog:
    try:
        head.load_state_dict(load_file(file))
        with safe_open(file, framework="pt") as stored:
            log = json.loads(stored.metadata()["log"])
            return FitLog(**{**log, "epochs": Epochs(**log["epochs"])})
    except SafetensorError as error:
        raise StoreDamaged(f"{file} cannot be read: delete it") from error
