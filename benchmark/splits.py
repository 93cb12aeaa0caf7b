"""Which utterances train and which test, and that no speaker does both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus


@dataclass(frozen=True, slots=True)
class Split:
    """One fold in the test part, the others in the training part.

    Attributes:
        fold: Its name.
        train: Places in the corpus's utterances.
        test: Places in the corpus's utterances.
    """

    fold: str
    train: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """How many utterances each part has."""
        return {"train": len(self.train), "test": len(self.test)}


def make_splits(corpus: Corpus) -> list[Split]:
    """Test each of the corpus's tested folds against all its other folds.

    Raises:
        BadCorpus: if there is one fold only, if a speaker (or another unit of
            independence) stands on both sides, or if
            a training part lacks a class.
    """
    if len(corpus.folds) < 2:
        raise BadCorpus(
            f"all utterances are in the fold {corpus.folds[0]!r}: "
            "nothing is left to train on"
        )
    splits = [_split(corpus, fold) for fold in corpus.tested or corpus.folds]
    for split in splits:
        _refuse_shared_units(corpus, split)
        _refuse_untrained_classes(corpus, split)
    return splits


def _split(corpus: Corpus, fold: str) -> Split:
    numbered = list(enumerate(corpus.utterances))
    return Split(
        fold,
        train=tuple(place for place, one in numbered if one.fold != fold),
        test=tuple(place for place, one in numbered if one.fold == fold),
    )


def _refuse_shared_units(corpus: Corpus, split: Split) -> None:
    train, test = (
        {corpus.utterances[place].independent for place in part}
        for part in (split.train, split.test)
    )
    if shared := sorted(train & test):
        more = f" and {len(shared) - 8} more" if len(shared) > 8 else ""
        raise BadCorpus(
            f"fold {split.fold!r} tests {corpus.unit}s that it also trains on: "
            f"{', '.join(shared[:8])}{more}\n"
            f"  every {corpus.unit} must be in one fold only, or the numbers would "
            "flatter"
        )


def _refuse_untrained_classes(corpus: Corpus, split: Split) -> None:
    trained = {corpus.utterances[place].label for place in split.train}
    if missing := [name for name in corpus.classes if name not in trained]:
        raise BadCorpus(
            f"fold {split.fold!r} trains on no utterance of {', '.join(missing)}"
        )


def limited(utterances: Sequence[Utterance], most: int | None) -> list[Utterance]:
    """Take some utterances, spread evenly over folds and classes.

    The same ones every time: each pair of fold and class gives its first, then its
    second, and so on.

    Args:
        utterances: What to take from.
        most: How many to take; None for all.
    """
    if most is None:
        return list(utterances)
    strata: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for one in utterances:
        strata[one.fold, one.label].append(one)
    rounds = zip_longest(*(strata[key] for key in sorted(strata)))
    spread = [one for each in rounds for one in each if one is not None]
    kept = {one.id for one in spread[:most]}
    return [one for one in utterances if one.id in kept]
