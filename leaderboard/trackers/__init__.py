"""Trackers of experiments hear of each cell; what all of them are told stands here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Training: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]
"""What a result notes of its training: values of each epoch, by fold and name."""

WIDTH = 4.0
"""Of the picture of the confusion matrix, in inches."""


def run_name(result: Result) -> str:
    """Give the name of a cell's run, another one if the cell is not done.

    So a failure does not mix with what the same cell gives when it is run again.
    """
    ending = "" if result.status == "done" else f"-{result.status.replace(' ', '-')}"
    return result.folder + ending


def hyperparameters(result: Result) -> dict[str, str | int]:
    """Give what names a cell, and whether it is done."""
    return {
        "upstream": result.upstream,
        "downstream": result.downstream,
        "corpus": result.corpus,
        "condition": result.condition,
        "protocol": result.protocol,
        "seed": result.seed,
        "status": result.status,
    }


def scores(result: Result) -> dict[str, float]:
    """Give every metric by name, computed from the predictions, as fractions of 1.

    ``uar/value`` is the score; ``uar/low`` and ``uar/high`` bound its 95 % interval,
    where it has one; ``uar/chance`` is what guessing gives. ``uar/mean`` is the mean of
    folds, ``uar/pooled`` over all predictions together, ``uar/fold 1`` over those of a
    fold. The score is the mean of folds, and pooled where a fold lacks a class.
    """
    if result.predictions is None:
        return {}
    found: dict[str, float] = {}
    for name, one in summarise(result.predictions).items():
        kinds = ("value", "chance", "mean", "pooled")
        found |= {f"{name}/{kind}": getattr(one, kind) for kind in kinds}
        if one.low is not None and one.high is not None:
            found |= {f"{name}/low": one.low, f"{name}/high": one.high}
        found |= {f"{name}/fold {fold}": value for fold, value in one.folds.items()}
    return found


def costs(result: Result) -> dict[str, float]:
    """Give what the cell took, without what could not be measured."""
    return {
        f"costs/{name}": float(value)
        for name, value in result.costs.items()
        if value is not None
    }


def curves(result: Result) -> Iterator[tuple[str, int, float]]:
    """Give what was seen in training: name such as ``losses/fold 1``, epoch, value.

    Epochs count from 1.
    """
    training = cast("Training", result.notes.get("training", {}))
    for fold, seen in training.items():
        for name, values in seen.items():
            for epoch, value in enumerate(values, start=1):
                yield f"{name}/fold {fold}", epoch, value


def draw_confusion(result: Result) -> Figure:
    """Draw which class was taken for which, over all folds, in percent."""
    from nserbench.leaderboard.plots.confusion import draw_confusions
    from nserbench.leaderboard.tables.series import confusions

    return draw_confusions(confusions([result]), WIDTH)
