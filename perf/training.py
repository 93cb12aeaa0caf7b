"""How chance in the training sample shows: tables of docs/statistics.md.

Two classifiers are trained on features of two kinds that carry equally much. What the
paired test finds between them is chance, that of the training sample included.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import headline
from nserbench.leaderboard.analysis.statistics import LEVEL, Sample
from nserbench.leaderboard.reading.counts import Counts

FEATURES = (8, 80)
CLASSES, FOLDS = 4, 5
EACH = 10
"""Utterances of a speaker in each class."""
RIDGE = 10.0
OTHERS = 600
"""Speakers whom no fold has seen, behind the score to be expected of its classifier."""

Floats = NDArray[np.float64]


class Cell(NamedTuple):
    """What a classifier was trained and tested to.

    Attributes:
        answers: ``(units, folds, classes, classes)``, as in `Counts`.
        expected: Its UAR on other speakers, the mean of folds.
    """

    answers: NDArray[np.int64]
    expected: float


def clarity(random: np.random.Generator, speakers: int) -> Floats:
    """Draw how clearly speakers tell classes apart, in features of either kind."""
    return np.exp(random.normal(0, 0.35, (speakers, 1, 1, 1)))


def features(
    random: np.random.Generator, clear: Floats, dim: int, each: int = EACH
) -> Floats:
    """Draw features of one kind, ``(speakers, classes, utterances, dim)``.

    A class has its direction. A speaker has an offset, and says each class in a way of
    his own.
    """
    speakers = len(clear)
    means = 2.4 * np.eye(CLASSES, dim)[:, None]
    offset = random.normal(0, 0.7, (speakers, 1, 1, dim))
    manner = random.normal(0, 0.5, (speakers, CLASSES, 1, dim))
    noise = random.normal(0, 1.0, (speakers, CLASSES, each, dim))
    return np.asarray(clear * means + offset + manner + noise)


def trained(found: Floats) -> Floats:
    """Fit one ridge regression on the classes, ``(dim + 1, classes)``."""
    speakers = len(found)
    flat = _flat(found)
    wanted = np.tile(np.repeat(np.eye(CLASSES), EACH, axis=0), (speakers, 1))
    square = flat.T @ flat + RIDGE * np.diag([*np.ones(flat.shape[1] - 1), 0.0])
    return np.linalg.solve(square, flat.T @ (wanted - 1 / CLASSES))


def answered(found: Floats, weights: Floats) -> NDArray[np.int64]:
    """Count the answers, ``(speakers, classes, classes)``."""
    chosen = (_flat(found) @ weights).argmax(axis=1).reshape(found.shape[:3])
    return np.asarray((chosen[..., None] == np.arange(CLASSES)).sum(axis=2))


def _flat(found: Floats) -> Floats:
    flat = found.reshape(-1, found.shape[-1])
    return np.column_stack([flat, np.ones(len(flat))])


def cell(random: np.random.Generator, clear: Floats, dim: int) -> Cell:
    """Train and test on one corpus, leaving the speakers of each fold out."""
    speakers = len(clear)
    found = features(random, clear, dim)
    others = features(random, clarity(random, OTHERS), dim, 1)
    fold_of = np.arange(speakers) % FOLDS
    answers = np.zeros((speakers, FOLDS, CLASSES, CLASSES), np.int64)
    expected = []
    for fold in range(FOLDS):
        weights = trained(found[fold_of != fold])
        answers[fold_of == fold, fold] = answered(found[fold_of == fold], weights)
        right = answered(others, weights).sum(axis=0)
        expected.append(np.diagonal(right).sum() / right.sum())
    return Cell(answers, float(np.mean(expected)))


def sample(one: Cell) -> Sample:
    """Measure the UAR of a cell."""
    counts = Counts(int(one.answers.sum()), 0, one.answers)
    return Sample.of({0: counts.resampled()}, "uar")


def simulate(speakers: int, dim: int, rounds: int, seed: int = 0) -> dict[str, float]:
    """Return shares: of tests that reject, and of intervals that hold a value."""
    random = np.random.default_rng(seed)
    cells = []
    for _ in range(rounds):
        clear = clarity(random, speakers)
        cells.append([cell(random, clear, dim) for _ in range(2)])
    overall = float(
        np.mean(
            [headline("uar", one.answers.sum(axis=0)) for two in cells for one in two]
        )
    )
    rejected, all_trainings, this_training = 0, 0, 0
    for pair in cells:
        first, second = map(sample, pair)
        found = first.minus(second)
        rejected += found is not None and found.p < LEVEL
        for one, measured in zip(pair, (first, second), strict=True):
            low, high = measured.interval() or (0.0, 1.0)
            all_trainings += low <= overall <= high
            this_training += low <= one.expected <= high
    return {
        "UAR": overall,
        "rejected": rejected / rounds,
        "held, over trainings": all_trainings / rounds / 2,
        "held, of this training": this_training / rounds / 2,
    }


def table(rounds: int, speakers: int) -> str:
    """Return the table of one number of speakers in Markdown, percent."""
    lines, heads = [], ["speakers", "features"]
    for dim in FEATURES:
        found = simulate(speakers, dim, rounds)
        shown = " | ".join(f"{100 * one:.1f}" for one in found.values())
        lines.append(f"| {speakers} | {dim} | {shown} |")
    heads += found
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---:|" * len(heads), *lines])


if __name__ == "__main__":
    print(table(int(sys.argv[1]), int(sys.argv[2])))
