"""Compare two cells: scores, McNemar's test, and the utterances only one gets right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.metrics import METRICS
from nserbench.benchmark.results.predictions import Predictions
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Counts
from nserbench.leaderboard.reading.pairs import Pair, predictions_of

FEW_DISCORDANT = 25
"""Number of discordant utterances below which McNemar's test is exact."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Correct answers of a pair of results, and McNemar's test on them.

    Attributes:
        exact: Whether p is from the binomial test; otherwise it is from the chi-square
            test with continuity correction.
        p: Two-sided p-value of McNemar's test, which takes utterances as independent.
    """

    seeds: tuple[int, int]
    both: int
    first: int
    second: int
    neither: int
    exact: bool
    p: float


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Accuracy of both cells on a class or a speaker.

    Attributes:
        first: Fraction that the first cell classifies correctly, mean over seeds.
        second: The same for the second cell.
    """

    name: str
    utterances: int
    first: float
    second: float

    @property
    def change(self) -> float:
        """The second minus the first."""
        return self.second - self.first


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An utterance that only one of two results classifies correctly.

    ``label`` is its true class; ``first`` and ``second`` are the classes that the two
    results predict, with the probabilities of all classes.
    """

    seeds: tuple[int, int]
    utterance: str
    speaker: str
    fold: str
    label: str
    first: str
    second: str
    first_probabilities: Mapping[str, float]
    second_probabilities: Mapping[str, float]

    @property
    def gained(self) -> bool:
        """Whether the second result is correct."""
        return self.second == self.label

    @property
    def change(self) -> float:
        """Probability of the true class: the second result minus the first."""
        return (
            self.second_probabilities[self.label] - self.first_probabilities[self.label]
        )


@dataclass(frozen=True, slots=True)
class MetricChange(Estimate):
    """The change of a metric from the first cell to the second, as a fraction of 1.

    Its interval is from paired bootstrap draws, as that of a `Difference`.

    Attributes:
        first: Score of the first cell, mean over seeds; see `Comparison.pooled`.
        p: Two-sided p-value, from the same draws; not adjusted for other metrics. None
            with one unit of independence.
    """

    first: float
    second: float
    p: float | None

    @property
    def change(self) -> float:
        """The second minus the first."""
        return self.value


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two cells on the same utterances.

    Attributes:
        utterances: Number of test utterances with each seed.
        pooled: Whether a fold lacks a class; scores are then of all folds together.
        scores: The change of each metric, by its name in `METRICS`.
        agreements: McNemar's test of each pair. The pairs are not added up, since an
            utterance would then count once for each seed.
        flips: The utterances that only one cell classifies correctly, by the change of
            the probability of the true class, largest first.
    """

    utterances: int
    units: int
    pooled: bool
    scores: Mapping[str, MetricChange]
    agreements: Sequence[Agreement]
    classes: Sequence[Subgroup]
    speakers: Sequence[Subgroup]
    flips: Sequence[Disagreement]


def compare(pairs: Sequence[Pair]) -> Comparison:
    """Compare two cells by a pair of results for each seed, from `read_pairs`."""
    known = predictions_of(pairs[0][0])
    labels = [known.classes[label] for label in known.labels.tolist()]
    correct = np.array(
        [[_correct(predictions_of(result)) for result in pair] for pair in pairs]
    )
    flips = (flip for pair in pairs for flip in _flips(pair))
    return Comparison(
        utterances=len(known.utterances),
        units=len(set(known.independent)),
        pooled=Counts.of(known).pooled,
        scores=_changes(pairs),
        agreements=[
            _agreement(_seeds(pair), *of_pair)
            for pair, of_pair in zip(pairs, correct, strict=True)
        ],
        classes=_subgroups(labels, correct, known.classes),
        speakers=_subgroups(known.speakers, correct, sorted(set(known.speakers))),
        flips=sorted(flips, key=lambda flip: -abs(flip.change)),
    )


def mcnemar(first: int, second: int) -> tuple[float, bool]:
    """Test whether two classifiers are equally accurate (McNemar 1947).

    Args:
        first: Number of utterances that only the first classifies correctly.
        second: Number that only the second classifies correctly.

    Returns:
        The two-sided p-value, and whether it is exact. It is exact for fewer than
        `FEW_DISCORDANT` utterances; otherwise it is from the chi-square test with
        continuity correction (Edwards 1948).

    Examples:
        >>> mcnemar(1, 7)
        (0.0703125, True)
    """
    if first + second < FEW_DISCORDANT:
        if first == second:  # binomtest refuses 0 of 0
            return 1.0, True
        return float(binomtest(first, first + second).pvalue), True
    distance = max(abs(first - second) - 1, 0)
    return float(chi2.sf(distance**2 / (first + second), df=1)), False


def _seeds(pair: Pair) -> tuple[int, int]:
    return pair[0].seed, pair[1].seed


def _correct(predictions: Predictions) -> NDArray[np.bool_]:
    correct: NDArray[np.bool_] = predictions.labels == predictions.predicted
    return correct


def _changes(pairs: Sequence[Pair]) -> dict[str, MetricChange]:
    first, second = (
        {run.seed: Counts.of(predictions_of(run)).resampled() for run in results}
        for results in zip(*pairs, strict=True)
    )
    return {
        metric: _change(Sample.of(first, metric), Sample.of(second, metric))
        for metric in METRICS
    }


def _change(first: Sample, second: Sample) -> MetricChange:
    low = high = p = None
    if (difference := second.minus(first)) is not None:
        low, high, p = difference.low, difference.high, difference.p
    change = second.value - first.value
    return MetricChange(change, low, high, first.value, second.value, p)


def _agreement(
    seeds: tuple[int, int], first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> Agreement:
    alone = int((first & ~second).sum()), int((second & ~first).sum())
    p, exact = mcnemar(*alone)
    return Agreement(
        seeds=seeds,
        both=int((first & second).sum()),
        first=alone[0],
        second=alone[1],
        neither=int((~first & ~second).sum()),
        exact=exact,
        p=p,
    )


def _subgroups(
    groups: Sequence[str], correct: NDArray[np.bool_], names: Iterable[str]
) -> list[Subgroup]:
    """Average the correct answers over each group and the seeds.

    Args:
        groups: The class or speaker of each utterance.
        correct: ``(pairs, 2, utterances)``
        names: The groups in the order of the result; absent ones are skipped.
    """
    members, subgroups = np.array(groups), []
    for name in names:
        inside = correct[..., members == name]
        if inside.size:
            first, second = inside.mean(axis=(0, 2)).tolist()
            subgroups.append(Subgroup(name, inside.shape[-1], first, second))
    return subgroups


def _flips(pair: Pair) -> Iterator[Disagreement]:
    first, second = map(predictions_of, pair)
    for index in np.flatnonzero(_correct(first) != _correct(second)).tolist():
        yield Disagreement(
            seeds=_seeds(pair),
            utterance=first.utterances[index],
            speaker=first.speakers[index],
            fold=first.folds[index],
            label=first.classes[first.labels[index]],
            first=first.classes[first.predicted[index]],
            second=first.classes[second.predicted[index]],
            first_probabilities=_probabilities(first, index),
            second_probabilities=_probabilities(second, index),
        )


def _probabilities(predictions: Predictions, index: int) -> dict[str, float]:
    values = predictions.probabilities[index].tolist()
    return dict(zip(predictions.classes, values, strict=True))
