"""Looking for what makes the fitted heads of a cell suspect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.jobs.fit import FitResult
from nserbench.benchmark.jobs.head import class_numbers
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.flags import ALL_FOLDS, BY_HEART, DEAD, RISING, SCALE
from nserbench.benchmark.training.loss import uar_of

SCALES = 0.5, 2.0
"""Standard deviations of what a head receives that are near enough to 1."""
FITTED = 0.95
"""Share of the training set that a head answers right, dropout on, if it is fitted."""
OUTDONE = 0.10
"""UAR, as a fraction of 1, by which a pooled head is far better."""


def review(
    job: Job, fitted: Sequence[FitResult], reference: Sequence[FitResult]
) -> dict[str, list[str]]:
    """Say what makes the heads of a cell suspect.

    Args:
        job: The cell.
        fitted: Each fold's answers, in the order of the splits.
        reference: The same of the pooled head that a head on frames is held against;
            empty for a pooled head.

    Returns:
        Lines that begin with a name of `flags.MEANINGS` and a colon, by fold; those
        of no single fold under `ALL_FOLDS`.
    """
    folds = [split.fold for split in job.splits]
    found = {
        fold: list(_of_fold(job, one)) for fold, one in zip(folds, fitted, strict=True)
    }
    found[ALL_FOLDS] = list(_by_heart(job, fitted, reference)) if reference else []
    return {fold: lines for fold, lines in found.items() if lines}


def _of_fold(job: Job, one: FitResult) -> Iterator[str]:
    answers = one.probabilities.argmax(dim=1)
    if len(one.rows) > 1 and bool((answers == answers[0]).all()):
        name = job.opened.corpus.classes[int(answers[0])]
        yield f"{DEAD}: it answers {name} to all {len(one.rows)} utterances"
    losses = one.log.epochs.losses
    if losses[-1] > losses[0]:
        yield f"{RISING}: from {losses[0]:.3g} in epoch 1 to {losses[-1]:.3g}"
    for group, scale in one.log.epochs.scales.items():
        if not SCALES[0] <= scale <= SCALES[1]:
            yield (
                f"{SCALE}: the features of {group} reach the head with a standard "
                f"deviation of {scale:.2g}, the median over features"
            )


def _by_heart(
    job: Job, fitted: Sequence[FitResult], reference: Sequence[FitResult]
) -> Iterator[str]:
    """Say so where a head knows its training set, but a pooled one tests far better."""
    learned = min(one.log.epochs.accuracies[-1] for one in fitted)
    ours, theirs = (_mean_uar(job, one) for one in (fitted, reference))
    if learned >= FITTED and theirs - ours >= OUTDONE:
        yield (
            f"{BY_HEART}: it answers {100 * learned:.0f} % or more of its training set "
            f"right, but its UAR on the test set is {100 * ours:.1f} where the head "
            f"mean, on the same layers, reaches {100 * theirs:.1f}"
        )


def _mean_uar(job: Job, fitted: Sequence[FitResult]) -> float:
    """Return the mean of folds."""
    labels = class_numbers(job)
    each = [uar_of(one.probabilities, labels[one.rows]) for one in fitted]
    return sum(each) / len(each)
