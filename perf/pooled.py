"""Speed of pooled heads that are trained together, against ordinary training loops.

The study is layer by layer: a head for each of 13 layers in each of 5 folds as large as
IEMOCAP's, dropout 0.5, Adam at 1e-4, batches of 32, features in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from _measure import at_least, medians, seconds
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from nserbench.benchmark.training.batch_streams import HeadTraining
from nserbench.benchmark.training.fit_one import FitSeeds
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.fusion import single
from nserbench.upstreams.groups import GroupSpec

SESSIONS = (1085, 1023, 1151, 1031, 1241)
"""Utterances of the sessions of IEMOCAP; a fold trains on all sessions but one."""

LAYERS, DIM, CLASSES, BATCH, DROPOUT, RATE = 13, 768, 4, 32, 0.5, 1e-4
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Study:
    """Features, labels and training sets.

    Attributes:
        states: Pooled features, ``(layers, rows, dim)``.
        labels: Class numbers, ``(rows,)``.
        folds: Rows of the training set of each fold.
    """

    states: Tensor
    labels: Tensor
    folds: Sequence[Tensor]

    @property
    def passes(self) -> int:
        """Number of utterances in one epoch of all runs together."""
        return len(self.states) * sum(map(len, self.folds))


def make_study(sessions: Sequence[int], layers: int, dim: int) -> Study:
    """Return a study with random features and labels."""
    torch.manual_seed(0)
    session = torch.arange(len(sessions)).repeat_interleave(torch.tensor(sessions))
    return Study(
        torch.randn(layers, len(session), dim),
        torch.randint(CLASSES, (len(session),)),
        [(session != test).nonzero()[:, 0] for test in range(len(sessions))],
    )


def together(study: Study, epochs: int) -> float:
    """Train all runs as nserbench does; return the seconds per utterance."""
    layers, _, dim = study.states.shape
    groups = {"encoder": GroupSpec(range(layers), dim, 50.0)}
    runs = []
    for layer in range(layers):
        options = {"layer": layer, "dropout": DROPOUT}
        layers_read = {"encoder": range(layer, layer + 1)}
        for fold, rows in enumerate(study.folds):
            head = single({"encoder": groups["encoder"]}, CLASSES, options)
            runs.append(
                HeadTraining(
                    head, layers_read, rows, epochs, FitSeeds(layer, str(fold))
                )
            )
    recipe = Recipe(epochs=epochs, batch_size=BATCH, learning_rate=RATE)
    states = {"encoder": study.states}

    def train() -> None:
        fit_together(runs, states, study.labels, CLASSES, recipe, "cpu")

    return seconds(train) / (epochs * study.passes)


def with_loader(study: Study, epochs: int) -> float:
    """Train one run with a `DataLoader`; return the seconds per utterance."""
    rows = study.folds[0]
    data = TensorDataset(study.states[0, rows], study.labels[rows])
    loader = DataLoader(data, BATCH, shuffle=True)
    head = _head(study)
    optimiser = torch.optim.Adam(head.parameters(), lr=RATE)

    def train() -> None:
        for _ in range(epochs):
            for values, labels in loader:
                _step(head, optimiser, values, labels)

    return seconds(train) / (epochs * len(rows))


def with_indices(study: Study, epochs: int) -> float:
    """Train one run with index tensors and fused Adam; return seconds per utterance."""
    rows = study.folds[0]
    values, labels = study.states[0, rows], study.labels[rows]
    head = _head(study)
    optimiser = torch.optim.Adam(head.parameters(), lr=RATE, fused=True)

    def train() -> None:
        for _ in range(epochs):
            for batch in torch.randperm(len(rows)).split(BATCH):
                _step(head, optimiser, values[batch], labels[batch])

    return seconds(train) / (epochs * len(rows))


def _head(study: Study) -> nn.Module:
    return nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(study.states.shape[2], CLASSES))


def _step(
    head: nn.Module, optimiser: torch.optim.Optimizer, values: Tensor, labels: Tensor
) -> None:
    optimiser.zero_grad()
    F.cross_entropy(head(values), labels).backward()
    optimiser.step()


def report(study: Study, epochs: int, rounds: int) -> list[str]:
    """Measure with ``epochs`` epochs in each round, and return the lines to print.

    Ours trains for five times as many, since a study sets it up once for 50 epochs.
    """
    ours, loader, indices = medians(
        lambda: together(study, 5 * epochs),
        lambda: with_loader(study, epochs),
        lambda: with_indices(study, epochs),
        rounds=rounds,
    )
    return [
        at_least("pooled-study-dataloader", loader / ours, 15),
        at_least("pooled-study-index-tensors", indices / ours, 10),
    ]


if __name__ == "__main__":
    print(*report(make_study(SESSIONS, LAYERS, DIM), 2, ROUNDS), sep="\n")
