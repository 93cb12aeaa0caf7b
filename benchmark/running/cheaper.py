"""What would cost much less than the heads that take most of a plan's time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from nserbench.benchmark.jobs.head import empty_head
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.running.trainings import Training
from nserbench.error_origin import arose_in_plugin

MOST = 0.5
"""Share of all time from which a head on frames is worth replacing."""

CHEAPER = 2.0
"""How many times cheaper another head must be, in all that is left to do."""

LONG = 60.0
"""Seconds of a plan from which it is worth looking for another head."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another head that makes a plan much cheaper.

    Attributes:
        upstream: The upstream.
        head: The head on frames that takes most of the time.
        instead: A head to use in its place.
        seconds: Time of the whole plan with the other head.
    """

    upstream: str
    head: str
    instead: str
    seconds: float


def suggestions(
    trainings: Sequence[tuple[Training, float]],
    total: float,
    price: Callable[[Training], float],
) -> list[Suggestion]:
    """Return the heads that would at least halve the time of a plan.

    For a head on frames that takes most of the time: a pooled head on the same layers,
    and the same head on a single group of layers. None if all takes less than a minute.

    Args:
        trainings: All trainings of the plan with their seconds.
        total: Seconds of all that there is to do.
        price: Returns the seconds of a training that is not among them.
    """
    if total < LONG:
        return []
    by_head: dict[tuple[str, str], list[tuple[Training, float]]] = defaultdict(list)
    for training, seconds in trainings:
        cell = training.job.cell
        if cell.reads_frames:
            pair = cell.upstream.label, cell.downstream.label
            by_head[pair].append((training, seconds))
    found = []
    for (upstream, head), own in by_head.items():
        spent = sum(seconds for _, seconds in own)
        if spent < MOST * total:
            continue
        replaced = [training for training, _ in own]
        for instead, others in _alternatives(replaced):
            priced = _priced(others, price)
            seconds = math.inf if priced is None else total - spent + priced
            if seconds * CHEAPER <= total:
                found.append(Suggestion(upstream, head, instead, seconds))
    return found


def _priced(
    fits: Sequence[Sequence[Fit]], price: Callable[[Training], float]
) -> float | None:
    """Return the seconds of trainings that nobody asked for; None if one is impossible.

    A plugin's head may need all groups although its card does not say so.
    """
    try:
        with own_state():
            return sum(price(_training(each)) for each in fits)
    except Exception as error:
        if not arose_in_plugin(error):
            raise
        return None


def _alternatives(own: Sequence[Training]) -> Iterator[tuple[str, list[list[Fit]]]]:
    """Yield the name of each other head, and what is fitted in place of the own."""
    fits: dict[int, list[Fit]] = defaultdict(list)
    for training in own:
        fits[id(training.job)] += training.fits
    jobs = {number: group[0].job for number, group in fits.items()}
    pooled = [
        [replace(fit, job=reference) for fit in fits[number]]
        for number, job in jobs.items()
        if (reference := job.reference) is not None
    ]
    if pooled:
        yield pooled[0][0].job.cell.downstream.card.name, pooled
    cell = own[0].job.cell
    for name in cell.groups if len(cell.groups) > 1 else ():
        if (
            cell.downstream.card.refuses(
                {name: cell.groups[name]}, cell.downstream.options
            )
            is None
        ):
            parts = [
                [replace(fit, job=_on_group(fit.job, name))]
                for training in own
                for fit in training.fits
            ]
            yield f"{cell.downstream.label} on the group {name}", parts


def _training(fits: Sequence[Fit]) -> Training:
    return Training(fits, empty_head(fits[0]), not fits[0].job.cell.reads_frames)


def _on_group(job: Job, name: str) -> Job:
    """Return a job whose head reads one group of layers."""
    cell = replace(job.cell, groups={name: job.cell.groups[name]})
    return replace(job, cell=cell)
