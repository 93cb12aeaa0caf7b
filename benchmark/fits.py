"""Fitted heads: trained once, kept in the store, read back by whoever needs them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nserbench.benchmark.features import FrameSource, PooledSource, Source
from nserbench.benchmark.prepare import Job
from nserbench.benchmark.shards import write_whole
from nserbench.benchmark.splits import Split
from nserbench.benchmark.store import Store
from nserbench.benchmark.training import Chance, Standardised, fit, predict, seeded
from nserbench.downstreams.base import Recipe
from nserbench.errors import StoreDamaged


@dataclass(frozen=True, slots=True)
class FitLog:
    """How a fit went.

    Attributes:
        losses: Mean training loss of each epoch.
        seconds: That it took.
        parameters: Trainable ones of the head.
    """

    losses: list[float]
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


def open_source(job: Job, store: Store) -> Source:
    """Open the features that a job's head reads."""
    kind = PooledSource if job.cell.downstream.card.tier == "pooled" else FrameSource
    return kind(job.features(store), job.keys, job.stored, job.cell.groups)


def fit_fold(
    job: Job, split: Split, source: Source, store: Store, device: str
) -> Fitted:
    """Fit a head on one fold's training part, or read it back, and test it.

    Raises:
        NserbenchError: if the training diverges.
    """
    recipe = Recipe(**job.protocol["recipe"])
    chance = Chance(job.cell.seed, split.fold)
    train, test = torch.tensor(split.train), torch.tensor(split.test)
    head = _fresh(job, source, train, recipe, chance).to(device)
    file = store.fit_file(job.fit_identity(split.train, split.fold))
    if file.exists():
        log = _load(file, head)
    else:
        began = time.perf_counter()
        labels = class_numbers(job)
        losses = fit(head, source, train, labels, recipe, chance, device)
        log = FitLog(losses, time.perf_counter() - began, _count(head))
        state = {name: value.contiguous() for name, value in head.state_dict().items()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, save(state, {"log": json.dumps(asdict(log))}))
    return Fitted(test, predict(head, source, test, device), log)


def class_numbers(job: Job) -> Tensor:
    """Give the class number of every utterance."""
    order = {name: place for place, name in enumerate(job.opened.corpus.classes)}
    return torch.tensor([order[clip.utterance.label] for clip in job.clips])


def _fresh(
    job: Job, source: Source, train: Tensor, recipe: Recipe, chance: Chance
) -> nn.Module:
    head = job.cell.downstream
    with seeded(chance.start("weights")):
        built = head.card.build(
            job.cell.groups, len(job.opened.corpus.classes), head.options
        )
    return (
        Standardised(built, source.statistics(train)) if recipe.standardise else built
    )


def _load(file: Path, head: nn.Module) -> FitLog:
    try:
        head.load_state_dict(load_file(file))
        with safe_open(file, framework="pt") as stored:
            return FitLog(**json.loads(stored.metadata()["log"]))
    except SafetensorError as error:
        raise StoreDamaged(f"{file} cannot be read: delete it") from error


def _count(head: nn.Module) -> int:
    return sum(one.numel() for one in head.parameters() if one.requires_grad)
