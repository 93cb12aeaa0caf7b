"""Training, development and test sets, with no speaker in two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from nserbench.benchmark.store.digests import derived_seed
from nserbench.benchmark.study.shared_audio import refuse_shared_audio
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus

Dev = Literal["none", "units", "utterances", "test"]
"""Which utterances select the epoch: none; those of speakers held out of training; a
random fifth of the training set, whoever speaks; or the test set itself."""

SHARE = 5
"""One in so many utterances or units of the training set is held out."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How a protocol splits a corpus and its noise.

    Attributes:
        dev: Which utterances select the epoch.
        units: Whether each unit of independence, such as a speaker, is a test set, and
            not each fold.
        disjoint: Whether each fold has its own part of the noise.
    """

    dev: Dev = "none"
    units: bool = False
    disjoint: bool = False


PLAIN = SplitRule()


@dataclass(frozen=True, slots=True)
class Split:
    """One fold as test set, the others as training set.

    Utterances are given by row, their index in `Corpus.utterances`.

    Attributes:
        fold: Name of the test fold.
        train: Rows of the training set.
        test: Rows of the test set.
        dev: Rows of the development set; the same as ``test`` if the test set selects
            the epoch, empty if nothing does.
    """

    fold: str
    train: tuple[int, ...]
    test: tuple[int, ...]
    dev: tuple[int, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of utterances in each set."""
        dev = {"dev": len(self.dev)} if self.dev else {}
        return {"train": len(self.train), **dev, "test": len(self.test)}


def make_splits(corpus: Corpus, rule: SplitRule = PLAIN) -> list[Split]:
    """Return one split for each fold that the corpus tests, or for each of its folds.

    Raises:
        BadCorpus: if there is only one class or fold, if a speaker (or another unit of
            independence) is in training and test set, if utterances of two folds
            overlap in a file, or if a training set lacks a class.
    """
    corpus = folded(corpus, rule)
    if len(corpus.classes) < 2:
        raise BadCorpus(
            f"all utterances are of the class {corpus.classes[0]!r}: there is nothing "
            "to tell apart\n  use utterances of two classes or more"
        )
    _refuse_single_unit(corpus)
    if len(corpus.folds) < 2:
        raise BadCorpus(
            f"all utterances are in the fold {corpus.folds[0]!r}: "
            "nothing is left to train on\n"
            f"  give two folds or more, each with {corpus.unit}s of its own"
        )
    splits = [
        _held_out(corpus, _split(corpus, fold), rule.dev)
        for fold in corpus.tested or corpus.folds
    ]
    refuse_shared_audio(corpus)
    for split in splits:
        _refuse_shared_units(corpus, split)
        _refuse_untrained_classes(corpus, split)
    return splits


def _split(corpus: Corpus, fold: str) -> Split:
    folds = [utterance.fold for utterance in corpus.utterances]
    return Split(
        fold,
        train=tuple(
            row
            for row, name in enumerate(folds)
            if name != fold and (not corpus.trained or name in corpus.trained)
        ),
        test=tuple(row for row, name in enumerate(folds) if name == fold),
    )


def folded(corpus: Corpus, rule: SplitRule) -> Corpus:
    """Return a corpus with its own folds, or one fold for each unit, by the rule.

    Raises:
        BadCorpus: if each unit is to be a fold, but the corpus has its own test set.
    """
    if not rule.units:
        return corpus
    if corpus.tested:
        raise BadCorpus(
            f"the corpus has its own test set, {', '.join(corpus.tested)}: "
            f"loso, which tests each {corpus.unit} in turn, cannot be used\n"
            "  leave loso out of the protocol"
        )
    utterances = [replace(u, fold=u.independent) for u in corpus.utterances]
    return replace(corpus, utterances=utterances)


def _held_out(corpus: Corpus, split: Split, dev: Dev) -> Split:
    """Take the development set out of the training set.

    Raises:
        BadCorpus: if a single unit is trained on, so that none can be held out.
    """
    dev_rows = _DEV_ROWS[dev](corpus, split)
    held_out = set(dev_rows)
    train = tuple(row for row in split.train if row not in held_out)
    return replace(split, train=train, dev=dev_rows)


def _utterance_rows(corpus: Corpus, split: Split) -> tuple[int, ...]:
    """Draw one in `SHARE` training utterances."""
    ids = {row: corpus.utterances[row].id for row in split.train}
    drawn = set(_drawn(list(ids.values())))
    return tuple(row for row in split.train if ids[row] in drawn)


def _unit_rows(corpus: Corpus, split: Split) -> tuple[int, ...]:
    """Return the rows of a training fold, or of some units if there is one fold.

    The fold is the one that the corpus names, else the next after the test fold. Of a
    single fold, one in `SHARE` units is drawn.
    """
    folds = {row: corpus.utterances[row].fold for row in split.train}
    names = sorted(set(folds.values()))
    if len(names) > 1:
        later = [name for name in names if name > split.fold] or names
        dev = corpus.dev if corpus.dev in names else later[0]
        return tuple(row for row in split.train if folds[row] == dev)
    units = {row: corpus.utterances[row].independent for row in split.train}
    unique = sorted(set(units.values()))
    if len(unique) < 2:
        raise BadCorpus(
            f"fold {split.fold!r} trains on one {corpus.unit} only: "
            "none can be held out as a development set\n"
            f"  add {corpus.unit}s, or use a protocol without one, such as probe"
        )
    drawn = set(_drawn(unique))
    return tuple(row for row in split.train if units[row] in drawn)


_DEV_ROWS: Mapping[Dev, Callable[[Corpus, Split], tuple[int, ...]]] = {
    "none": lambda corpus, split: (),
    "units": _unit_rows,
    "utterances": _utterance_rows,
    "test": lambda corpus, split: split.test,
}


def _drawn(names: Sequence[str]) -> list[str]:
    """Draw one in `SHARE` names, at least one, always the same."""
    order = sorted(names, key=lambda name: derived_seed("dev", name))
    return order[: max(1, len(names) // SHARE)]


def _refuse_single_unit(corpus: Corpus) -> None:
    units = {utterance.independent for utterance in corpus.utterances}
    if len(units) == 1:
        raise BadCorpus(
            f"all utterances are of one {corpus.unit}, {units.pop()!r}: a head is "
            f"tested on a {corpus.unit} that it was not trained on, so two are needed\n"
            f"  add utterances of another {corpus.unit}, or correct the names (in a "
            "manifest the column speaker, or unit); a --limit may be too small"
        )


def _refuse_shared_units(corpus: Corpus, split: Split) -> None:
    train, test = (
        {corpus.utterances[row].independent for row in rows}
        for rows in (split.train, split.test)
    )
    if shared := sorted(train & test):
        more = f" and {len(shared) - 8} more" if len(shared) > 8 else ""
        raise BadCorpus(
            f"fold {split.fold!r} tests {corpus.unit}s that it also trains on: "
            f"{', '.join(shared[:8])}{more}\n"
            f"  put every {corpus.unit} in one fold only; otherwise the scores are "
            "too high"
        )


def _refuse_untrained_classes(corpus: Corpus, split: Split) -> None:
    trained = {corpus.utterances[row].label for row in split.train}
    if missing := [name for name in corpus.classes if name not in trained]:
        raise BadCorpus(
            f"fold {split.fold!r} trains on no utterance of {', '.join(missing)}\n"
            "  leave the class out (a manifest has classes= for it), or divide the "
            f"{corpus.unit}s into other folds"
        )


def limited(utterances: Sequence[Utterance], most: int | None) -> list[Utterance]:
    """Return a part of the utterances, spread over folds, classes and speakers.

    They are always the same: the first utterance of each pair of fold and class, then
    the second of each, and so on. Those of a pair are of each speaker in turn.

    Args:
        most: Largest number to return; None for all.
    """
    if most is None:
        return list(utterances)
    pairs: dict[tuple[str, str], dict[str, list[Utterance]]] = {}
    for one in utterances:
        speakers = pairs.setdefault((one.fold, one.label), {})
        speakers.setdefault(one.speaker, []).append(one)
    spread = _in_turn(_in_turn(pairs[key].values()) for key in sorted(pairs))
    kept = {one.id for one in spread[:most]}
    return [utterance for utterance in utterances if utterance.id in kept]


def _in_turn(groups: Iterable[Sequence[Utterance]]) -> list[Utterance]:
    """Return the first of each group, then the second of each, and so on."""
    return [one for turn in zip_longest(*groups) for one in turn if one is not None]
