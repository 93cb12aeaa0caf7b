"""What tells two cells apart: scores, right answers, and the utterances that flip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2

from nserbench.benchmark.results.metrics import METRICS
from nserbench.benchmark.results.predictions import Predictions
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Counts
from nserbench.leaderboard.reading.pairs import Pair, predictions_of

FEW_DISCORDANT = 25
"""Utterances that one cell alone has right, below which McNemar's test is exact."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where two results of one pair are right.

    Attributes:
        seeds: Of the two.
        both: Utterances that both have right.
        first: Those that the first alone has right.
        second: Those that the second alone has right.
        neither: Those that none has right.
        exact: Whether the p-value is binomial; else it is from chi-square, with
            continuity correction.
        p: Of McNemar's test, two-sided. It takes utterances as independent.
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
    """The right answers to a part of the utterances, such as a class or a speaker.

    Attributes:
        name: Of the part.
        utterances: In it.
        first: Fraction that the first has right, the mean over seeds.
        second: The same of the second.
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
    """An utterance that only one of two results has right.

    Attributes:
        seeds: Of the two.
        utterance: Its id.
        speaker: Who speaks.
        fold: In which it was tested.
        label: The true class.
        first: What the first answered.
        second: What the second answered.
        first_probabilities: By class.
        second_probabilities: By class.
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
        """Whether the second has it right."""
        return self.second == self.label

    @property
    def change(self) -> float:
        """How much more probable the second takes the true class to be."""
        return (
            self.second_probabilities[self.label] - self.first_probabilities[self.label]
        )


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric of both cells, as fractions of 1.

    Attributes:
        first: The mean over seeds of the headline; see `Comparison.pooled`.
        second: The same of the second cell.
        change: The second minus the first.
        low: Where the 95 % interval of the change begins, as of every paired
            `Difference`. None with one unit of independence.
        high: Where it ends.
        p: Two-sided, from the same draws; not adjusted for other metrics.
    """

    first: float
    second: float
    change: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cells, tested on the same utterances.

    Attributes:
        utterances: Tested with each seed.
        units: Of independence, behind the intervals.
        pooled: Whether a fold lacks a class, so that scores are of all folds together.
        scores: By the names of `METRICS`.
        agreements: One for each pair of results. They are not added up, since an
            utterance would count once for each seed.
        classes: The recall of each class that occurs.
        speakers: The right answers to each speaker.
        flips: Those that change the probability of the true class most come first.
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
    """Compare two cells.

    Args:
        pairs: Results of both, a pair for each seed, as `read_pairs` gives them.
    """
    known = predictions_of(pairs[0][0])
    labels = [known.classes[label] for label in known.labels.tolist()]
    rights = np.array([[_right(predictions_of(one)) for one in pair] for pair in pairs])
    flips = (flip for pair in pairs for flip in _flips(pair))
    return Comparison(
        utterances=len(known.utterances),
        units=len(set(known.independent)),
        pooled=Counts.of(known).pooled,
        scores=_changes(pairs),
        agreements=[
            _agreement(_seeds(pair), *right)
            for pair, right in zip(pairs, rights, strict=True)
        ],
        classes=_parts(labels, rights, known.classes),
        speakers=_parts(known.speakers, rights, sorted(set(known.speakers))),
        flips=sorted(flips, key=lambda flip: -abs(flip.change)),
    )


def mcnemar(first: int, second: int) -> tuple[float, bool]:
    """Test whether two classifiers are right equally often (McNemar 1947).

    Args:
        first: Utterances that the first alone has right.
        second: Those that the second alone has right.

    Returns:
        The two-sided p-value, and whether it is exact: it is where there are fewer
        than `FEW_DISCORDANT`. Else it is from chi-square, corrected for continuity
        (Edwards 1948).

    Examples:
        >>> mcnemar(1, 7)
        (0.0703125, True)
    """
    if first + second < FEW_DISCORDANT:
        if first == second:  # binomtest refuses to test nothing
            return 1.0, True
        return float(binomtest(first, first + second).pvalue), True
    distance = max(abs(first - second) - 1, 0)
    return float(chi2.sf(distance**2 / (first + second), df=1)), False


def _seeds(pair: Pair) -> tuple[int, int]:
    return pair[0].seed, pair[1].seed


def _right(found: Predictions) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = found.labels == found.predicted
    return right


def _changes(pairs: Sequence[Pair]) -> dict[str, MetricChange]:
    first, second = (
        {one.seed: Counts.of(predictions_of(one)).resampled() for one in side}
        for side in zip(*pairs, strict=True)
    )
    return {
        metric: _change(Sample.of(first, metric), Sample.of(second, metric))
        for metric in METRICS
    }


def _change(first: Sample, second: Sample) -> MetricChange:
    values = first.value, second.value, second.value - first.value
    found = second.minus(first)
    if found is None:
        return MetricChange(*values, None, None, None)
    return MetricChange(*values, found.low, found.high, found.p)


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


def _parts(
    owners: Sequence[str], rights: NDArray[np.bool_], names: Iterable[str]
) -> list[Subgroup]:
    """Average the right answers, ``(pairs, 2, utterances)``, over owners and seeds."""
    whose, found = np.array(owners), []
    for name in names:
        mine = rights[..., whose == name]
        if mine.size:
            first, second = mine.mean(axis=(0, 2)).tolist()
            found.append(Subgroup(name, mine.shape[-1], first, second))
    return found


def _flips(pair: Pair) -> Iterator[Disagreement]:
    first, second = map(predictions_of, pair)
    for place in np.flatnonzero(_right(first) != _right(second)).tolist():
        yield Disagreement(
            seeds=_seeds(pair),
            utterance=first.utterances[place],
            speaker=first.speakers[place],
            fold=first.folds[place],
            label=first.classes[first.labels[place]],
            first=first.classes[first.predicted[place]],
            second=first.classes[second.predicted[place]],
            first_probabilities=_probabilities(first, place),
            second_probabilities=_probabilities(second, place),
        )


def _probabilities(found: Predictions, place: int) -> dict[str, float]:
    values = found.probabilities[place].tolist()
    return dict(zip(found.classes, values, strict=True))
