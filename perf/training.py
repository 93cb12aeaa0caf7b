"""Simulate the effect of a random training set: tables of docs/statistics.md.

Two classifiers are trained on two kinds of features that are equally informative. So
every difference that the paired test finds is random, also through the training set.
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
"""Number of new speakers on which the expected score of a classifier is measured."""

Floats = NDArray[np.float64]


class Cell(NamedTuple):
    """The test of the classifiers of all folds.

    Attributes:
        answers: Confusion matrices, ``(units, folds, classes, classes)``, see `Counts`.
        expected: UAR on new speakers, the mean of folds.
    """

    answers: NDArray[np.int64]
    expected: float


def clarity(random: np.random.Generator, speakers: int) -> Floats:
    """Draw how clearly each speaker expresses classes, for both kinds of features."""
    return np.exp(random.normal(0, 0.35, (speakers, 1, 1, 1)))


def features(
    random: np.random.Generator, clear: Floats, dim: int, each: int = EACH
) -> Floats:
    """Draw features of one kind, ``(speakers, classes, utterances, dim)``.

    Each class has a direction, each speaker an offset, and each class of a speaker
    another one.
    """
    speakers = len(clear)
    means = 2.4 * np.eye(CLASSES, dim)[:, None]
    offset = random.normal(0, 0.7, (speakers, 1, 1, dim))
    manner = random.normal(0, 0.5, (speakers, CLASSES, 1, dim))
    noise = random.normal(0, 1.0, (speakers, CLASSES, each, dim))
    return np.asarray(clear * means + offset + manner + noise)


def trained(speech: Floats) -> Floats:
    """Return the weights of a ridge regression on classes, ``(dim + 1, classes)``."""
    speakers = len(speech)
    flat = _flat(speech)
    targets = np.tile(np.repeat(np.eye(CLASSES), EACH, axis=0), (speakers, 1))
    square = flat.T @ flat + RIDGE * np.diag([*np.ones(flat.shape[1] - 1), 0.0])
    weights = np.linalg.solve(square, flat.T @ (targets - 1 / CLASSES))
    return np.asarray(weights, np.float64)


def answered(speech: Floats, weights: Floats) -> NDArray[np.int64]:
    """Return the confusion matrix of each speaker, ``(speakers, classes, classes)``."""
    chosen = (_flat(speech) @ weights).argmax(axis=1).reshape(speech.shape[:3])
    return np.asarray((chosen[..., None] == np.arange(CLASSES)).sum(axis=2))


def _flat(speech: Floats) -> Floats:
    flat = speech.reshape(-1, speech.shape[-1])
    return np.column_stack([flat, np.ones(len(flat))])


def cell(random: np.random.Generator, clear: Floats, dim: int) -> Cell:
    """Train and test on one corpus; no speaker is in both training and test set."""
    speakers = len(clear)
    speech = features(random, clear, dim)
    others = features(random, clarity(random, OTHERS), dim, 1)
    fold_of = np.arange(speakers) % FOLDS
    answers = np.zeros((speakers, FOLDS, CLASSES, CLASSES), np.int64)
    expected = []
    for fold in range(FOLDS):
        weights = trained(speech[fold_of != fold])
        answers[fold_of == fold, fold] = answered(speech[fold_of == fold], weights)
        right = answered(others, weights).sum(axis=0)
        expected.append(np.diagonal(right).sum() / right.sum())
    return Cell(answers, float(np.mean(expected)))


def sample(tested: Cell) -> Sample:
    """Return the UAR of a cell with its bootstrap draws."""
    counts = Counts(int(tested.answers.sum()), 0, tested.answers)
    return Sample.of({0: counts.resampled()}, "uar")


def simulate(speakers: int, dim: int, rounds: int, seed: int = 0) -> dict[str, float]:
    """Return the share of tests that reject, and the shares of intervals that hold."""
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(rounds):
        clear = clarity(random, speakers)
        pairs.append([cell(random, clear, dim) for _ in range(2)])
    answers = [tested.answers for pair in pairs for tested in pair]
    overall = float(
        np.mean([headline("uar", counts.sum(axis=0)) for counts in answers])
    )
    rejected, all_trainings, this_training = 0, 0, 0
    for pair in pairs:
        first, second = map(sample, pair)
        difference = first.minus(second)
        rejected += difference is not None and difference.p < LEVEL
        for tested, measured in zip(pair, (first, second), strict=True):
            low, high = measured.interval() or (0.0, 1.0)
            all_trainings += low <= overall <= high
            this_training += low <= tested.expected <= high
    return {
        "UAR": overall,
        "rejected": rejected / rounds,
        "coverage, all training sets": all_trainings / rounds / 2,
        "coverage, this training set": this_training / rounds / 2,
    }


def table(rounds: int, speakers: int) -> str:
    """Return the table for one number of speakers in Markdown, percent."""
    lines, heads = [], ["speakers", "features"]
    for dim in FEATURES:
        shares = simulate(speakers, dim, rounds)
        shown = " | ".join(f"{100 * share:.1f}" for share in shares.values())
        lines.append(f"| {speakers} | {dim} | {shown} |")
    heads += shares
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---:|" * len(heads), *lines])


if __name__ == "__main__":
    print(table(int(sys.argv[1]), int(sys.argv[2])))
