"""The head of a fold: built with fresh weights, saved to the store, loaded again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.results.software import made_by
from nserbench.benchmark.store.weights_files import read_weights, write_weights
from nserbench.benchmark.training.feature_statistics import Statistics
from nserbench.benchmark.training.fit_one import FitSeeds, Standardised, seeded
from nserbench.benchmark.training.loss import EpochLog
from nserbench.benchmark.training.sources import FeatureSource
from nserbench.downstreams.base import HasLayerWeights
from nserbench.errors import StoreDamaged
from nserbench.plain_data import parse_json


@dataclass(frozen=True, slots=True)
class FitLog:
    """Losses, time, size and memory of the training of a head.

    Attributes:
        epochs: Loss, accuracy and gradient norm of each epoch.
        seconds: Duration of the training; an equal share of it if several heads were
            trained together.
        parameters: Number of trainable parameters of the head.
        made_by: Software and device of the training; see `software.made_by`.
        peak: Peak memory during training, in bytes; None if it cannot be measured.
    """

    epochs: EpochLog
    seconds: float
    parameters: int
    made_by: str
    peak: int | None = None


def log_of(
    fit: Fit, head: nn.Module, epochs: EpochLog, seconds: float, peak: Peak
) -> FitLog:
    """Return the log of a head's training, with the head's size and its software."""
    count = sum(value.numel() for value in head.parameters() if value.requires_grad)
    software = made_by(fit.job.cell.downstream.card, peak.device)
    return FitLog(epochs, seconds, count, software, peak.bytes)


def weights_by_layer(job: Job, head: nn.Module) -> dict[str, dict[str, float]]:
    """Return the layer weights of a head, by group and number of the layer.

    Empty for a head without layer weights.
    """
    inner = head.head if isinstance(head, Standardised) else head
    if not isinstance(inner, HasLayerWeights):
        return {}
    return {
        group: dict(
            zip(map(str, job.cell.groups[group].layers), weights.tolist(), strict=True)
        )
        for group, weights in inner.layer_weights().items()
    }


def seeds_of(fit: Fit) -> FitSeeds:
    """Return the random seeds of a fit."""
    return FitSeeds(fit.job.cell.seed, fit.split.fold)


def train_rows(fit: Fit) -> Tensor:
    """Return the rows of the training set, ``(n,)``, in all training conditions."""
    return _rows(fit.job, fit.split.train)


def dev_rows(fit: Fit) -> Tensor | None:
    """Return the rows of the dev set, ``(m,)``; None if the fold has none."""
    return _rows(fit.job, fit.split.dev) if fit.split.dev else None


def _rows(job: Job, utterances: Sequence[int]) -> Tensor:
    starts = torch.arange(len(job.training)) * len(job.clips)
    return (starts[:, None] + torch.tensor(utterances)).flatten()


def class_numbers(job: Job) -> Tensor:
    """Return the class number of every utterance, ``(utterances,)``."""
    numbers = {name: number for number, name in enumerate(job.opened.corpus.classes)}
    return torch.tensor([numbers[clip.utterance.label] for clip in job.clips])


def training_labels(job: Job) -> Tensor:
    """Return the class number of every row in all training conditions, ``(rows,)``."""
    return class_numbers(job).repeat(len(job.training))


def fresh_head(fit: Fit, statistics: Statistics | None) -> nn.Module:
    """Build the head of a fold with fresh weights.

    Args:
        fit: The head and its fold.
        statistics: Mean and deviation of the training set; None if the recipe does not
            standardise.
    """
    cell = fit.job.cell
    head, classes = cell.downstream, len(fit.job.opened.corpus.classes)
    with seeded(seeds_of(fit).seed_for("weights")):
        built = head.card.build(cell.groups, classes, head.options)
    return built if statistics is None else Standardised(built, statistics)


def empty_head(fit: Fit) -> nn.Module:
    """Build the head of a fold, to load weights and statistics into it."""
    blank = {
        name: (torch.zeros(size), torch.ones(size))
        for name, spec in fit.job.cell.groups.items()
        if (size := (len(spec.layers), spec.dim))
    }
    return fresh_head(fit, blank if fit.job.recipe.standardise else None)


def statistics_of(fit: Fit, source: FeatureSource) -> Statistics | None:
    """Return the statistics of the training set; None without standardisation."""
    return source.statistics(train_rows(fit)) if fit.job.recipe.standardise else None


def save_head(file: Path, head: nn.Module, log: FitLog) -> None:
    """Save a trained head and its log."""
    state = {name: value.contiguous() for name, value in head.state_dict().items()}
    write_weights(file, state, {"log": json.dumps(asdict(log))})


def load_head(file: Path, head: nn.Module) -> FitLog:
    """Load saved weights into a head, and return the log of its training.

    Raises:
        StoreDamaged: if the file has changed since it was written, or holds another
            head or no log.
    """
    state, facts = read_weights(file)
    try:
        head.load_state_dict(state)
        log = parse_json(facts["log"])
        return FitLog(**{**log, "epochs": EpochLog(**log["epochs"])})
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise StoreDamaged(f"{file} holds another head, or no log: {error}") from error
