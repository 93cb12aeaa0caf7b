"""Check the fitted heads of a cell for signs that something went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.jobs.fit import FitResult
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.suspect_flags import (
    ALL_FOLDS,
    BY_HEART,
    DEAD,
    RISING,
    SCALE,
)
from nserbench.benchmark.training.loss import uar_of

SCALES = 0.5, 2.0
"""Lowest and highest standard deviation of a head's input without a flag."""
FITTED = 0.95
"""Training accuracy, with dropout, from which a head has learned its training set."""
OUTDONE = 0.10
"""UAR, as a fraction of 1, by which the pooled head is far better."""


def review(
    job: Job, fitted: Sequence[FitResult], reference: Sequence[FitResult]
) -> dict[str, list[str]]:
    """Return the flags of a cell: signs that its heads cannot be trusted.

    Args:
        job: The cell.
        fitted: Result of each fold, in the order of the splits.
        reference: Result of each fold of the pooled head with which a head on frames
            is compared; empty for a pooled head.

    Returns:
        Lines that begin with a name of `flags.MEANINGS` and a colon, by fold; those
        about all folds under `ALL_FOLDS`.
    """
    folds = [split.fold for split in job.splits]
    flags = {
        fold: list(_of_fold(job, result))
        for fold, result in zip(folds, fitted, strict=True)
    }
    flags[ALL_FOLDS] = list(_by_heart(job, fitted, reference)) if reference else []
    return {fold: lines for fold, lines in flags.items() if lines}


def _of_fold(job: Job, result: FitResult) -> Iterator[str]:
    predicted = result.probabilities.argmax(dim=1)
    if len(predicted) > 1 and bool((predicted == predicted[0]).all()):
        name = job.opened.corpus.classes[int(predicted[0])]
        yield f"{DEAD}: it answers {name} to all {len(predicted)} utterances"
    epochs = result.log.epochs
    if epochs.losses[-1] > epochs.losses[0]:
        first, last = epochs.losses[0], epochs.losses[-1]
        yield f"{RISING}: from {first:.3g} in epoch 1 to {last:.3g}"
    for group, scale in epochs.scales.items():
        if not SCALES[0] <= scale <= SCALES[1]:
            yield (
                f"{SCALE}: the features of {group} reach the head with a standard "
                f"deviation of {scale:.2g}, the median over features"
            )


def _by_heart(
    job: Job, fitted: Sequence[FitResult], reference: Sequence[FitResult]
) -> Iterator[str]:
    """Yield a flag if a head fits its training set but the pooled one tests better."""
    learned = min(result.log.epochs.accuracies[-1] for result in fitted)
    ours, theirs = _mean_uar(job, fitted), _mean_uar(job, reference)
    if learned >= FITTED and theirs - ours >= OUTDONE:
        yield (
            f"{BY_HEART}: it answers {100 * learned:.0f} % or more of its training set "
            f"right, but its UAR on the test set is {100 * ours:.1f} where the head "
            f"mean, on the same layers, reaches {100 * theirs:.1f}"
        )


def _mean_uar(job: Job, fitted: Sequence[FitResult]) -> float:
    """Return the mean UAR over folds."""
    labels = class_numbers(job)
    uars = [uar_of(result.probabilities, labels[result.rows]) for result in fitted]
    return sum(uars) / len(uars)
