"""Fixed splits: folds that are the training, development and test set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nserbench.errors import BadCorpus

_PARTS = {
    "train": re.compile(r"(train|training|trn)[-_ ]?\d*", re.IGNORECASE),
    "dev": re.compile(
        r"(dev|devel|development|val|valid|validation)[-_ ]?\d*", re.IGNORECASE
    ),
    "test": re.compile(r"(test|testing|tst|eval|evaluation)[-_ ]?\d*", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class FixedSplit:
    """Which folds are trained on, selected on and tested.

    Attributes:
        trained: The folds of the training set, the development set's among them; empty
            for all but the fold that is tested (cross-validation).
        tested: The folds that are tested in turn; empty for all.
        dev: The fold that is the development set; None if there is none.
    """

    trained: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    dev: str | None = None


def fixed_split(
    folds: Sequence[str], tested: Sequence[str] | None, dev: str | None, where: str
) -> FixedSplit:
    """Return the split that is asked for, or that the names of the folds tell.

    Args:
        folds: Names of all folds.
        tested: The folds to test; None to go by the names: ``train``, ``dev`` and
            ``test``, and words such as ``validation``.
        dev: The fold that is the development set; None to go by the names.
        where: The file, for messages.

    Raises:
        BadCorpus: if a fold is not there, or the names tell only a part of the split.
    """
    wanted = [*(tested or ()), *([dev] if dev is not None else ())]
    for name in wanted:
        if name not in folds:
            raise BadCorpus(
                f"{where}: no utterance is in the fold {name!r}\n"
                f"  folds: {', '.join(folds)}"
            )
    tests = tuple(tested) if tested is not None else _tests(folds, where)
    trained = tuple(fold for fold in folds if fold not in tests)
    devs = [fold for fold in trained if _is(fold, "dev")] if trained else []
    chosen = dev if dev is not None else (devs[0] if tests and len(devs) == 1 else None)
    if chosen in tests:
        raise BadCorpus(f"{where}: the fold {chosen!r} is both dev= and tested")
    return FixedSplit(trained if tests else (), tests, chosen)


def _tests(folds: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the folds that are named as test sets, if one is named as training set."""
    if not any(_is(fold, "train") for fold in folds):
        return ()
    tests = tuple(fold for fold in folds if _is(fold, "test"))
    unknown = [fold for fold in folds if not any(_is(fold, part) for part in _PARTS)]
    if tests and not unknown:
        return tests
    reason = f"{unknown[0]!r} says nothing" if unknown else "none is a test set"
    raise BadCorpus(
        f"{where}: the folds {', '.join(folds)} are named as a training set is, but "
        f"{reason}\n  say which folds are tested, joined by +: tested={folds[-1]}"
    )


def _is(fold: str, part: str) -> bool:
    return _PARTS[part].fullmatch(fold) is not None
