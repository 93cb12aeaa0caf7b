"""How often 95 % intervals hold what they should: the table of docs/statistics.md."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from nserbench.benchmark.intervals import interval_of, standard_error
from nserbench.benchmark.metrics import bootstrap, effective_size, headline

CLUSTERS = {4: (4, 300), 10: (5, 300), 30: (5, 60), 100: (5, 20)}
"""Folds, and mean utterances of a cluster, by the number of clusters."""
SHARES = np.array([0.2, 0.3, 0.31, 0.19])
RECALLS = np.array([0.62, 0.55, 0.5, 0.7])


def corpus(
    generator: np.random.Generator, clusters: int, folds: int, size: int
) -> NDArray[np.int64]:
    """Draw answers, ``(clusters, folds, classes, classes)``.

    Clusters differ in size (log-normal, 0.6), in their classes, in how well they are
    recognised (0.5 in log-odds), and each class in each of them again (0.4).
    """
    classes = len(SHARES)
    sizes = size * np.exp(generator.normal(-0.18, 0.6, clusters))
    shares = generator.dirichlet(12 * SHARES, clusters)
    support = generator.multinomial(np.maximum(1, sizes.round().astype(int)), shares)
    own = generator.normal(0, 0.5, (clusters, 1))
    right = expit(logit(RECALLS) + own + generator.normal(0, 0.4, (clusters, classes)))
    chances = np.zeros((clusters, classes, classes))
    for true in range(classes):
        wrong = generator.dirichlet(np.full(classes - 1, 3.0), clusters)
        chances[:, true] = np.insert(wrong * (1 - right[:, [true]]), true, 0.0, axis=1)
        chances[:, true, true] = right[:, true]
    answers = np.zeros((clusters, folds, classes, classes), np.int64)
    places = np.arange(clusters)
    answers[places, places % folds] = generator.multinomial(support, chances)
    return answers


def coverage(
    clusters: int, metric: str, rounds: int, draws: int = 400, seed: int = 0
) -> float:
    """Give the share of intervals that hold the value expected of such a corpus."""
    generator = np.random.default_rng(seed)
    folds, size = CLUSTERS[clusters]
    drawn = [corpus(generator, clusters, folds, size) for _ in range(rounds)]
    values = [headline(metric, one.sum(axis=0)) for one in drawn]
    expected, held = float(np.mean(values)), 0
    for answers, value in zip(drawn, values, strict=True):
        found = bootstrap(answers, [metric], draws)[metric]
        error = standard_error(found, value, clusters)
        size = effective_size(metric, answers.sum(axis=0))
        low, high = interval_of(value, error, clusters - 1, size)
        held += low <= expected <= high
    return held / rounds


def table(rounds: int) -> str:
    """Give the table in Markdown, percent."""
    lines = ["| clusters | folds | UAR | macro F1 |", "|---:|---:|---:|---:|"]
    for clusters, (folds, _) in CLUSTERS.items():
        found = [coverage(clusters, name, rounds) for name in ("uar", "f1_macro")]
        shown = " | ".join(f"{100 * one:.1f}" for one in found)
        lines.append(f"| {clusters} | {folds} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
