"""Which utterances train and which test, and that no speaker does both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from nserbench.benchmark.store.digests import derived_seed
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus

Dev = Literal["none", "units", "utterances", "test"]
"""Who selects: nobody; utterances of others than those trained on and tested; a random
fifth of the training part, whoever speaks; or the test part itself."""

SHARE = 5
"""One in so many is held out: utterances, or units where one fold is trained on."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How a protocol cuts a corpus, and the noise with it.

    Attributes:
        dev: Which part selects.
        units: Whether each unit of independence is tested alone, and not each fold.
        disjoint: Whether each fold hears a part of the noise of its own.
    """

    dev: Dev = "none"
    units: bool = False
    disjoint: bool = False


PLAIN = SplitRule()


@dataclass(frozen=True, slots=True)
class Split:
    """One fold in the test part, the others in the training part.

    Attributes:
        fold: Its name.
        train: Places in the corpus's utterances.
        test: Places in the corpus's utterances.
        dev: Those held out of the training part to select; the test part where that
            selects; empty where nothing is selected.
    """

    fold: str
    train: tuple[int, ...]
    test: tuple[int, ...]
    dev: tuple[int, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """How many utterances each part has."""
        held = {"dev": len(self.dev)} if self.dev else {}
        return {"train": len(self.train), **held, "test": len(self.test)}


def make_splits(corpus: Corpus, rule: SplitRule = PLAIN) -> list[Split]:
    """Test each of the corpus's tested folds against all its other folds.

    Args:
        corpus: The corpus.
        rule: How to cut it otherwise.

    Raises:
        BadCorpus: if there is one fold only, if a speaker (or another unit of
            independence) stands on both sides, or if
            a training part lacks a class.
    """
    corpus = folded(corpus, rule)
    if len(corpus.folds) < 2:
        raise BadCorpus(
            f"all utterances are in the fold {corpus.folds[0]!r}: "
            "nothing is left to train on"
        )
    splits = [
        _held_out(corpus, _split(corpus, fold), rule.dev)
        for fold in corpus.tested or corpus.folds
    ]
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


def folded(corpus: Corpus, rule: SplitRule) -> Corpus:
    """Return a corpus with the folds of a rule: its own, or one for each unit.

    Raises:
        BadCorpus: if units are to be folds and the corpus has a test part of its own.
    """
    if not rule.units:
        return corpus
    if corpus.tested:
        raise BadCorpus(
            f"the corpus has a test part of its own, {', '.join(corpus.tested)}: "
            f"no {corpus.unit} is left out in turn"
        )
    ones = [replace(one, fold=one.independent) for one in corpus.utterances]
    return replace(corpus, utterances=ones)


def _held_out(corpus: Corpus, split: Split, dev: Dev) -> Split:
    """Take the part that selects out of the training part.

    Where several folds are trained on, it is the next one in their order, or the one
    that the corpus names. Of a single fold it is one in `SHARE` units, at least one.

    Raises:
        BadCorpus: if there is a single unit to train on.
    """
    ones = corpus.utterances
    match dev:
        case "none":
            return split
        case "test":
            return replace(split, dev=split.test)
        case "utterances":
            held = set(_drawn([ones[place].id for place in split.train]))
            chosen = [place for place in split.train if ones[place].id in held]
        case "units":
            folds = sorted({ones[place].fold for place in split.train})
            if len(folds) > 1:
                after = [fold for fold in folds if fold > split.fold] or folds
                fold = corpus.dev if corpus.dev in folds else after[0]
                chosen = [place for place in split.train if ones[place].fold == fold]
            else:
                units = sorted({ones[place].independent for place in split.train})
                if len(units) < 2:
                    raise BadCorpus(
                        f"fold {split.fold!r} trains on one {corpus.unit} only: "
                        "none can be held out to select"
                    )
                held = set(_drawn(units))
                chosen = [p for p in split.train if ones[p].independent in held]
    kept = set(split.train) - set(chosen)
    train = tuple(place for place in split.train if place in kept)
    return replace(split, train=train, dev=tuple(chosen))


def _drawn(names: Sequence[str]) -> list[str]:
    """Draw one in `SHARE` names, at least one, the same ones every time."""
    order = sorted(names, key=lambda name: derived_seed("dev", name))
    return order[: max(1, len(names) // SHARE)]


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
