"""Heads that choose one of several heads in each fold, on the dev set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nserbench.benchmark.jobs.fit import FitResult, fit_fold, open_sources
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.loss import uar_of
from nserbench.progress import ignore_epochs


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The head that was chosen in a fold, and the UAR of every candidate.

    Attributes:
        chosen: Name of the candidate with the best UAR on the dev set; the first of
            several.
        best_on_test: Name of the candidate with the best UAR on the test set, which is
            how the paper chooses: an upper bound.
        dev: UAR of each candidate on the dev set.
        test: UAR of each candidate on the test set.
    """

    chosen: str
    best_on_test: str
    dev: dict[str, float]
    test: dict[str, float]


def choose(
    job: Job,
    split: Split,
    store: Store,
    device: str,
    on_epoch: Callable[[int], None] = ignore_epochs,
) -> tuple[FitResult, LayerChoice]:
    """Fit every candidate on the training set of a fold, and choose one.

    Raises:
        NserbenchError: if a training diverges.
    """
    labels = class_numbers(job)
    results: dict[str, FitResult] = {}
    dev, test = dict[str, float](), dict[str, float]()
    for candidate in job.candidates:
        fold = candidate.fold(split, store)
        sources = open_sources(fold, store, device)
        result = fit_fold(Fit(fold, split), sources, store, device, on_epoch)
        name = candidate.cell.downstream.label
        results[name] = result
        dev[name] = max(result.log.epochs.dev)
        test[name] = uar_of(result.probabilities, labels[result.rows])
    chosen = max(dev, key=lambda name: dev[name])
    best = max(test, key=lambda name: test[name])
    return results[chosen], LayerChoice(chosen, best, dev, test)
