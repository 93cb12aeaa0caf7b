"""Heads that choose one of several, fold by fold, on the part that selects."""

from __future__ import annotations

from dataclasses import dataclass

from nserbench.benchmark.jobs.fit import FitResult, fit_fold, open_sources
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.loss import uar_of


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """What was chosen in a fold.

    Attributes:
        chosen: The candidate that does best on the part that selects; the first of
            several.
        best_on_test: The one that does best on the test part, as the paper chooses: an
            upper bound.
        dev: UAR of each candidate on the part that selects.
        test: UAR of each candidate on the test part.
    """

    chosen: str
    best_on_test: str
    dev: dict[str, float]
    test: dict[str, float]


def choose(
    job: Job, split: Split, store: Store, device: str
) -> tuple[FitResult, LayerChoice]:
    """Fit every candidate on a fold's training part, and choose one.

    Raises:
        NserbenchError: if a training diverges.
    """
    labels = class_numbers(job)
    fitted: dict[str, FitResult] = {}
    dev, test = dict[str, float](), dict[str, float]()
    for candidate in job.candidates:
        fold = candidate.fold(split, store)
        sources = open_sources(fold, store, device)
        one = fit_fold(fold, split, sources, store, device)
        name = candidate.cell.downstream.label
        fitted[name] = one
        dev[name] = max(one.log.epochs.dev)
        test[name] = uar_of(one.probabilities, labels[one.rows])
    chosen = max(dev, key=lambda name: dev[name])
    best = max(test, key=lambda name: test[name])
    return fitted[chosen], LayerChoice(chosen, best, dev, test)
