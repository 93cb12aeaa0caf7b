"""The head of a fold: built with fresh weights, kept in the store, read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.shards import write_whole
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.fit_one import FitSeeds, Standardised, seeded
from nserbench.benchmark.training.loss import EpochLog
from nserbench.benchmark.training.moments import Statistics
from nserbench.benchmark.training.sources import FeatureSource
from nserbench.downstreams.base import HasLayerWeights
from nserbench.errors import StoreDamaged


@dataclass(frozen=True, slots=True)
class FitLog:
    """How a fit went.

    Attributes:
        epochs: What was seen of the training.
        seconds: That it took; its share where heads were trained together.
        parameters: Trainable ones of the head.
        peak: The most memory held meanwhile, in bytes; None where nobody knows.
    """

    epochs: EpochLog
    seconds: float
    parameters: int
    peak: int | None = None


def log_of(
    head: nn.Module, epochs: EpochLog, seconds: float, peak: int | None
) -> FitLog:
    """Note how the training of a head went."""
    count = sum(one.numel() for one in head.parameters() if one.requires_grad)
    return FitLog(epochs, seconds, count, peak)


def weights_by_layer(job: Job, head: nn.Module) -> dict[str, dict[str, float]]:
    """Give what each layer counts in a head, by group and number of the layer.

    Empty for a head that does not weigh layers.
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


def seeds_of(job: Job, split: Split) -> FitSeeds:
    """Give the sources of chance of a fit."""
    return FitSeeds(job.cell.seed, split.fold)


def trained_rows(job: Job, places: Sequence[int]) -> Tensor:
    """Give utterances as rows of what is trained on, in every condition of it."""
    starts = torch.arange(len(job.training)) * len(job.clips)
    return (starts[:, None] + torch.tensor(places)).flatten()


def class_numbers(job: Job) -> Tensor:
    """Give the class number of every utterance."""
    order = {name: place for place, name in enumerate(job.opened.corpus.classes)}
    return torch.tensor([order[clip.utterance.label] for clip in job.clips])


def head_file(job: Job, split: Split, store: Store) -> Path:
    """Give where the head of a fold is kept, fitted or not yet."""
    return store.fit_file(job.fit_identity(split))


def fresh_head(job: Job, split: Split, statistics: Statistics | None) -> nn.Module:
    """Build the head of a fold with fresh weights.

    Args:
        job: The cell.
        split: The fold.
        statistics: Of its training part; None where its recipe does not standardise.
    """
    head = job.cell.downstream
    with seeded(seeds_of(job, split).seed_for("weights")):
        built = head.card.build(
            job.cell.groups, len(job.opened.corpus.classes), head.options
        )
    return built if statistics is None else Standardised(built, statistics)


def empty_head(job: Job, split: Split) -> nn.Module:
    """Build the head of a fold for weights and statistics that are read into it."""
    blank = {
        name: (torch.zeros(size), torch.ones(size))
        for name, spec in job.cell.groups.items()
        if (size := (len(spec.layers), spec.dim))
    }
    return fresh_head(job, split, blank if job.recipe.standardise else None)


def statistics_of(job: Job, split: Split, source: FeatureSource) -> Statistics | None:
    """Give what the head of a fold standardises with; None if it does not."""
    if not job.recipe.standardise:
        return None
    return source.statistics(trained_rows(job, split.train))


def save_head(file: Path, head: nn.Module, log: FitLog) -> None:
    """Keep a trained head."""
    state = {name: value.contiguous() for name, value in head.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, save(state, {"log": json.dumps(asdict(log))}))


def load_head(file: Path, head: nn.Module) -> FitLog:
    """Read the weights of a head back, and how its training went.

    Raises:
        StoreDamaged: if they cannot be read.
    """
    try:
        head.load_state_dict(load_file(file))
        with safe_open(file, framework="pt") as stored:
            log = json.loads(stored.metadata()["log"])
            return FitLog(**{**log, "epochs": EpochLog(**log["epochs"])})
    except SafetensorError as error:
        raise StoreDamaged(f"{file} cannot be read: delete it") from error
