"""A layer-wise study of pooled heads: all runs together against ordinary loops.

Every loop goes over the same runs: a head for each of 13 layers in each of 5 folds as
large as IEMOCAP's, dropout 0.5, Adam at 1e-4, batches of 32, features in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from _measure import at_least, medians, seconds
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from nserbench.benchmark.training.fit_one import FitSeeds
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.benchmark.training.streams import HeadTraining
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.fusion import single
from nserbench.upstreams.base import GroupSpec

SESSIONS = (1085, 1023, 1151, 1031, 1241)
"""Utterances of IEMOCAP's sessions; a fold trains on all but one."""

LAYERS, DIM, CLASSES, BATCH, DROPOUT, RATE = 13, 768, 4, 32, 0.5, 1e-4
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Study:
    """What is trained.

    Attributes:
        states: ``(layers, rows, dim)``.
        labels: ``(rows,)`` class numbers.
        folds: The training rows of each fold.
    """

    states: Tensor
    labels: Tensor
    folds: Sequence[Tensor]

    @property
    def passes(self) -> int:
        """Utterances that one epoch of every run goes over."""
        return len(self.states) * sum(map(len, self.folds))


def make_study(sessions: Sequence[int], layers: int, dim: int) -> Study:
    """Draw a study at random."""
    torch.manual_seed(0)
    session = torch.arange(len(sessions)).repeat_interleave(torch.tensor(sessions))
    return Study(
        torch.randn(layers, len(session), dim),
        torch.randint(CLASSES, (len(session),)),
        [(session != one).nonzero()[:, 0] for one in range(len(sessions))],
    )


def together(study: Study, epochs: int) -> float:
    """Train all runs as nserbench does; give the seconds for each utterance."""
    layers, _, dim = study.states.shape
    groups = {"encoder": GroupSpec(range(layers), dim, 50.0)}
    runs = []
    for layer in range(layers):
        options = {"layer": layer, "dropout": DROPOUT}
        own = {"encoder": range(layer, layer + 1)}
        for fold, rows in enumerate(study.folds):
            head = single({"encoder": groups["encoder"]}, CLASSES, options)
            runs.append(
                HeadTraining(head, own, rows, epochs, FitSeeds(layer, str(fold)))
            )
    recipe = Recipe(epochs=epochs, batch_size=BATCH, learning_rate=RATE)
    states = {"encoder": study.states}

    def train() -> None:
        fit_together(runs, states, study.labels, CLASSES, recipe, "cpu")

    return seconds(train) / (epochs * study.passes)


def with_loader(study: Study, epochs: int) -> float:
    """Train one run by the loop of the textbooks; give the seconds per utterance."""
    rows = study.folds[0]
    data = TensorDataset(study.states[0, rows], study.labels[rows])
    loader = DataLoader(data, BATCH, shuffle=True)
    head = _head(study)
    optimiser = torch.optim.Adam(head.parameters(), lr=RATE)

    def train() -> None:
        for _ in range(epochs):
            for values, wanted in loader:
                _step(head, optimiser, values, wanted)

    return seconds(train) / (epochs * len(rows))


def with_indices(study: Study, epochs: int) -> float:
    """Train one run by indexing and fused Adam; give the seconds per utterance."""
    rows = study.folds[0]
    values, wanted = study.states[0, rows], study.labels[rows]
    head = _head(study)
    optimiser = torch.optim.Adam(head.parameters(), lr=RATE, fused=True)

    def train() -> None:
        for _ in range(epochs):
            for batch in torch.randperm(len(rows)).split(BATCH):
                _step(head, optimiser, values[batch], wanted[batch])

    return seconds(train) / (epochs * len(rows))


def _head(study: Study) -> nn.Module:
    return nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(study.states.shape[2], CLASSES))


def _step(
    head: nn.Module, optimiser: torch.optim.Optimizer, values: Tensor, wanted: Tensor
) -> None:
    optimiser.zero_grad()
    F.cross_entropy(head(values), wanted).backward()
    optimiser.step()


def report(study: Study, epochs: int, rounds: int) -> list[str]:
    """Measure, with ``epochs`` passes in each round.

    Ours takes five times as many, since it is set up once for all 50 of a study.
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
