"""Experiment trackers: what is logged of each cell, whatever the tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Training: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The log of training in a result, by fold and name: lists have a value for each epoch,
``terms`` has such lists by name."""

WIDTH = 4.0
"""Width of the picture of the confusion matrix in inches."""


def run_name(result: Result) -> str:
    """Return the name of a cell's run, with the status if it is not ``done``.

    A failed cell that is run again therefore gets another run.
    """
    ending = "" if result.status == "done" else f"-{result.status.replace(' ', '-')}"
    return result.folder + ending


def hyperparameters(result: Result) -> dict[str, str | int]:
    """Return the names of a cell, and its status."""
    return {**asdict(result.cell), "status": result.status}


def scores(result: Result) -> dict[str, float]:
    """Return every metric by name, computed from predictions, as fractions of 1.

    ``uar/value`` is the score; ``uar/low`` and ``uar/high`` are the ends of its 95 %
    interval, where it has one; ``uar/chance`` is the chance level. ``uar/mean`` is the
    mean over folds, ``uar/pooled`` is over all predictions together, ``uar/fold 1``
    over those of a fold. The score is the mean over folds, or pooled where a fold lacks
    a class.
    """
    if result.answers is None:
        return {}
    values: dict[str, float] = {}
    for name, summary in summarise(result.answers).items():
        kinds = ("value", "chance", "mean", "pooled")
        values |= {f"{name}/{kind}": getattr(summary, kind) for kind in kinds}
        if summary.low is not None and summary.high is not None:
            values |= {f"{name}/low": summary.low, f"{name}/high": summary.high}
        folds = summary.folds.items()
        values |= {f"{name}/fold {fold}": value for fold, value in folds}
    return values


def costs(result: Result) -> dict[str, float]:
    """Return the costs of a cell that could be measured."""
    return {
        f"costs/{name}": float(value)
        for name, value in result.costs.items()
        if value is not None
    }


def curves(result: Result) -> Iterator[tuple[str, int, float]]:
    """Yield the training curves: name such as ``losses/fold 1``, epoch, value.

    Epochs count from 1.
    """
    training = cast("Training", result.notes.get("training", {}))
    for fold, log in training.items():
        terms = {f"terms/{name}": one for name, one in log.get("terms", {}).items()}
        lists = {name: one for name, one in log.items() if isinstance(one, list)}
        for name, values in {**lists, **terms}.items():
            for epoch, value in enumerate(values, start=1):
                yield f"{name}/fold {fold}", epoch, value


def draw_confusion(result: Result) -> Figure:
    """Draw the confusion matrix over all folds, in percent."""
    from nserbench.leaderboard.plots.confusion import draw_confusions
    from nserbench.leaderboard.tables.series import confusions

    return draw_confusions(confusions([result]), WIDTH)
