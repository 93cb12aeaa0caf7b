"""Simulate the coverage of 95 % intervals: tables of docs/statistics.md."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from nserbench.benchmark.results.intervals import interval_of, standard_error
from nserbench.benchmark.results.metrics import bootstrap, effective_size, headline

CLUSTERS = {4: (4, 300), 10: (5, 300), 30: (5, 60), 100: (5, 20)}
"""Number of folds and mean utterances of a cluster, by the number of clusters."""
SHARES = np.array([0.2, 0.3, 0.31, 0.19])
RECALLS = np.array([0.62, 0.55, 0.5, 0.7])
NEAR_ONE = (0.98, 0.995)
"""Recalls of all classes; small corpora often have an observed accuracy of 1."""
SMALL = {4: (4, 40), 10: (5, 20), 24: (5, 10)}
"""As `CLUSTERS`."""


def corpus(
    generator: np.random.Generator,
    clusters: int,
    folds: int,
    size: int,
    recalls: NDArray[np.float64] = RECALLS,
    spread: float = 1.0,
) -> NDArray[np.int64]:
    """Draw confusion matrices, ``(clusters, folds, classes, classes)``.

    Clusters differ in size (log-normal, 0.6), in their shares of classes, and in their
    recall (0.5 in log-odds); in each cluster, so do the classes (0.4). The last two are
    multiplied by the spread.
    """
    classes = len(SHARES)
    sizes = size * np.exp(generator.normal(-0.18, 0.6, clusters))
    shares = generator.dirichlet(12 * SHARES, clusters)
    support = generator.multinomial(np.maximum(1, sizes.round().astype(int)), shares)
    by_cluster = generator.normal(0, 0.5 * spread, (clusters, 1))
    by_class = generator.normal(0, 0.4 * spread, (clusters, classes))
    right = expit(logit(recalls) + by_cluster + by_class)
    chances = np.zeros((clusters, classes, classes))
    for true in range(classes):
        wrong = generator.dirichlet(np.full(classes - 1, 3.0), clusters)
        chances[:, true] = np.insert(wrong * (1 - right[:, [true]]), true, 0.0, axis=1)
        chances[:, true, true] = right[:, true]
    answers = np.zeros((clusters, folds, classes, classes), np.int64)
    numbers = np.arange(clusters)
    answers[numbers, numbers % folds] = generator.multinomial(support, chances)
    return answers


def coverage(
    clusters: int,
    metric: str,
    rounds: int,
    draws: int = 400,
    seed: int = 0,
    spread: float = 1.0,
) -> float:
    """Return the share of intervals that contain the expected value."""
    generator = np.random.default_rng(seed)
    shape = clusters, *CLUSTERS[clusters]
    drawn = [corpus(generator, *shape, spread=spread) for _ in range(rounds)]
    values = [headline(metric, answers.sum(axis=0)) for answers in drawn]
    expected, held = float(np.mean(values)), 0
    for answers in drawn:
        low, high = bounds(answers, metric, draws)
        held += low <= expected <= high
    return held / rounds


def bounds(answers: NDArray[np.int64], metric: str, draws: int) -> tuple[float, float]:
    """Return the interval of a metric, as the leaderboard computes it."""
    folds, units = answers.sum(axis=0), len(answers)
    value = headline(metric, folds)
    error = standard_error(bootstrap(answers, [metric], draws)[metric], value, units)
    return interval_of(value, error, units - 1, effective_size(metric, folds))


def near_one(
    clusters: int, recall: float, rounds: int, draws: int = 400, seed: int = 0
) -> tuple[float, float, float]:
    """Simulate accuracies near 1.

    Returns:
        The share of corpora with an accuracy of 1; the share of all intervals that
        contain the expected accuracy; the mean lower end of the intervals of 1.
    """
    generator, recalls = np.random.default_rng(seed), np.full(len(SHARES), recall)
    shape = clusters, *SMALL[clusters]
    drawn = [corpus(generator, *shape, recalls) for _ in range(rounds)]
    scores = [headline("accuracy", answers.sum(axis=0)) for answers in drawn]
    expected = np.mean(scores)
    low, high = np.array([bounds(answers, "accuracy", draws) for answers in drawn]).T
    at_one = high == 1
    held = (low <= expected) & (expected <= high)
    end = float(low[at_one].mean()) if at_one.any() else float("nan")
    return float(at_one.mean()), float(held.mean()), end


def edge_table(rounds: int) -> str:
    """Return the table of accuracies near 1 in Markdown, percent."""
    heads = (
        "| clusters | utterances each | true recall | score is 100 | coverage "
        "| lower bound at 100 |"
    )
    lines = [heads, "|---:|---:|---:|---:|---:|---:|"]
    for clusters, (_, size) in SMALL.items():
        for recall in NEAR_ONE:
            shares = recall, *near_one(clusters, recall, rounds)
            shown = " | ".join(f"{100 * share:.1f}" for share in shares)
            lines.append(f"| {clusters} | {size} | {shown} |")
    return "\n".join(lines)


def table(rounds: int) -> str:
    """Return the table of coverages in Markdown, percent."""
    lines = [
        "| clusters | folds | UAR | macro F1 | UAR, equal clusters |",
        "|---:|---:|---:|---:|---:|",
    ]
    for clusters, (folds, _) in CLUSTERS.items():
        shares = [coverage(clusters, name, rounds) for name in ("uar", "f1_macro")]
        shares.append(coverage(clusters, "uar", rounds, spread=0.0))
        shown = " | ".join(f"{100 * share:.1f}" for share in shares)
        lines.append(f"| {clusters} | {folds} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(table(rounds), edge_table(rounds), sep="\n\n")
