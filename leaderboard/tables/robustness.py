"""The robustness of every row, from folders of results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import chance
from nserbench.benchmark.results.result import RESULT, result_folders
from nserbench.errors import NserbenchError
from nserbench.leaderboard.analysis.robustness_measures import (
    Estimate,
    Floats,
    Robustness,
    RobustnessColumn,
    RobustnessTable,
    WorstClass,
    area,
    error,
    interval,
    loss,
    ratio,
    slope,
)
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import (
    Column,
    Counts,
    Row,
    comparable,
    newest,
)
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Seeds: TypeAlias = Mapping[int, Counts]
"""The answers of a cell by seed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """A row in a place.

    Attributes:
        noisy: At each SNR of the place, with the same seeds.
        measured: By metric and kind.
        errors: The mean error over the SNRs by metric, which the corruption error is
            made from.
    """

    noisy: Sequence[Seeds]
    measured: Mapping[tuple[str, str], Sample]
    errors: Mapping[str, Sample]

    @property
    def counts(self) -> list[Counts]:
        """The answers at all SNRs with all seeds."""
        return [one for seeds in self.noisy for one in seeds.values()]

    @property
    def same(self) -> tuple[int, tuple[int, ...]]:
        """Equal for two curves on the same utterances with the same seeds."""
        return self.counts[0].tested, tuple(self.noisy[0])


Curves: TypeAlias = dict[tuple[Row, RobustnessColumn], _Curve]


def robustness_table(
    roots: Path | Sequence[Path],
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
) -> RobustnessTable:
    """Measure every row under every noise that it met at two or more SNRs.

    Args:
        roots: Folders of results.
        metrics: Names in `METRICS`.
        reference: The row whose errors and loss those of the others are divided by.

    Raises:
        BadResult: if a folder has no results, or one cannot be read.
        UnknownName: if the reference is no row of theirs.
        NserbenchError: if no row met a noise at two SNRs.
    """
    folders = [roots] if isinstance(roots, Path) else list(roots)
    summary = summary_table(folders, metrics, reference=reference)
    curves, notes = _curves(_answers(folders), metrics)
    if not curves:
        raise NserbenchError(
            "no noise was met at two or more SNRs, so there is no robustness to show\n"
            "  run a noise at several, for instance with --snr -5 --snr 0 --snr 5"
        )
    if reference is not None:
        curves = {
            (row, place): _compared(curve, curves.get((reference, place)), metrics)
            for (row, place), curve in curves.items()
        }
    curves |= _averaged(curves)
    classes = _classes(folders)
    places = _sorted({place for _, place in curves}, summary)
    return RobustnessTable(
        rows=[
            row for row in summary.rows if any((row, one) in curves for one in places)
        ],
        places=places,
        headers={place: _header(place, summary) for place in places},
        metrics=metrics,
        entries={
            (row, place): _entry(curve, classes[place.corpus])
            for (row, place), curve in curves.items()
        },
        reference=reference,
        protocols=summary.protocols,
        notes=[*summary.notes, *notes],
    )


def _answers(folders: Iterable[Path]) -> dict[tuple[Row, Column], Seeds]:
    """Read what is done."""
    tallies, _ = newest(one for root in folders for one in read_counted_results(root))
    found = defaultdict(list)
    for tally in sorted(tallies, key=lambda one: one.seed):
        found[tally.row, tally.column].append(tally)
    return {where: seeds for where, one in found.items() if (seeds := comparable(one))}


def _curves(
    answers: Mapping[tuple[Row, Column], Seeds], metrics: Sequence[str]
) -> tuple[Curves, list[str]]:
    """Give the curves over the SNR, and a line for each that cannot be."""
    cells: dict[tuple[Row, str, str, str], dict[float, Seeds]] = defaultdict(dict)
    for (row, column), seeds in answers.items():
        noise, at, snr = column.condition.rpartition("@")
        if at:
            cells[row, column.corpus, noise, column.protocol][float(snr)] = seeds
    curves: Curves = {}
    left_out: dict[str, list[str]] = defaultdict(list)
    for (row, corpus, noise, protocol), by_snr in cells.items():
        snrs = tuple(sorted(by_snr))
        noisy = [by_snr[snr] for snr in snrs]
        if len(snrs) < 2:
            left_out[f"{corpus} {noise}: one SNR only"].append(str(row))
        elif len(set(map(_same, noisy))) > 1:
            left_out[f"{corpus} {noise}: {_DIFFERENT}"].append(str(row))
        else:
            clean = answers.get((row, Column(corpus, "clean", protocol)), {})
            if clean and _same(clean) != _same(noisy[0]):
                clean = {}
            place = RobustnessColumn(corpus, (noise,), protocol, snrs)
            measured = _measured(snrs, noisy, clean, metrics)
            errors = {one: _applied(_levels(noisy, one), error) for one in metrics}
            curves[row, place] = _Curve(noisy, measured, errors)
    notes = (
        f"{why}, so left out ({', '.join(rows)})" for why, rows in left_out.items()
    )
    return curves, list(notes)


_DIFFERENT = (
    "the SNRs were tested on different utterances, labels or folds, or with other seeds"
)


def _same(cell: Seeds) -> tuple[int, tuple[int, ...]]:
    """Give what is equal for two cells on the same utterances with the same seeds."""
    return next(iter(cell.values())).tested, tuple(cell)


def _measured(
    snrs: Sequence[float],
    noisy: Sequence[Seeds],
    clean: Seeds,
    metrics: Sequence[str],
) -> dict[tuple[str, str], Sample]:
    """Measure a curve, with each seed and in each draw."""
    found = {}
    for metric in metrics:
        values = _levels(noisy, metric)
        found[metric, "area"] = _applied(values, lambda one: area(snrs, one))
        steepest = float(slope(snrs, (np.array(snrs) > np.mean(snrs)).astype(float)))
        found[metric, "slope"] = replace(
            _applied(values, lambda one: slope(snrs, one)), span=steepest
        )
        if clean:
            both = _stacked([_sample(cell, metric) for cell in (clean, *noisy)])
            found[metric, "loss"] = _applied(
                both, lambda one: loss(one[..., 0], one[..., 1:])
            )
    return found


def _levels(noisy: Sequence[Seeds], metric: str) -> Sample:
    """Return a metric at each SNR, along the last axis."""
    return _stacked([_sample(cell, metric) for cell in noisy])


def _sample(cell: Seeds, metric: str) -> Sample:
    resampled = {seed: one.resampled() for seed, one in cell.items()}
    return Sample.of(resampled, metric)


def _stacked(samples: Sequence[Sample]) -> Sample:
    """Join samples along a new last axis."""
    drawn = [one.drawn for one in samples if one.drawn is not None]
    return replace(
        samples[0],
        span=float(np.mean([one.span for one in samples])),
        seeds=np.stack([one.seeds for one in samples], axis=-1),
        drawn=np.stack(drawn, axis=-1) if len(drawn) == len(samples) else None,
    )


def _applied(sample: Sample, function: Callable[[Floats], Floats]) -> Sample:
    """Reduce the last axis of joined samples."""
    drawn = None if sample.drawn is None else function(sample.drawn)
    return replace(sample, seeds=function(sample.seeds), drawn=drawn)


def _compared(
    curve: _Curve, reference: _Curve | None, metrics: Sequence[str]
) -> _Curve:
    """Add errors and loss divided by those of the reference, where both are known."""
    if reference is None or reference.same != curve.same:
        return curve
    found = dict(curve.measured)
    for metric in metrics:
        if by := ratio(curve.errors[metric], reference.errors[metric]):
            found[metric, "corruption"] = by
        own, its = (one.measured.get((metric, "loss")) for one in (curve, reference))
        if own and its and (by := ratio(own, its)):
            found[metric, "relative"] = by
    return replace(curve, measured=found)


def _averaged(curves: Curves) -> Curves:
    """Average the noises of each row that have the same SNRs, where there are two."""
    groups: dict[tuple[Row, RobustnessColumn], list[tuple[str, _Curve]]] = defaultdict(
        list
    )
    for (row, place), curve in curves.items():
        groups[row, replace(place, noises=())].append((place.noises[0], curve))
    found = {}
    for (row, place), members in groups.items():
        noises, each = zip(*sorted(members, key=itemgetter(0)), strict=True)
        if len(noises) > 1 and len({one.same for one in each}) == 1:
            found[row, replace(place, noises=noises)] = _mean(each)
    return found


def _mean(curves: Sequence[_Curve]) -> _Curve:
    """Average what all the curves have."""
    found = {}
    for key in curves[0].measured:
        each = [one.measured[key] for one in curves if key in one.measured]
        if len(each) == len(curves):
            found[key] = _applied(_stacked(each), lambda one: one.mean(axis=-1))
    return _Curve([seeds for one in curves for seeds in one.noisy], found, {})


def _sorted(
    places: Iterable[RobustnessColumn], summary: SummaryTable
) -> list[RobustnessColumn]:
    """Sort as in the summary table; the mean of noises after them."""
    corpora = [column.corpus for column in summary.columns]

    def order(place: RobustnessColumn) -> tuple[object, ...]:
        mean = len(place.noises) > 1
        where = corpora.index(place.corpus)
        return where, place.protocol, place.snrs, mean, place.noises

    return sorted(places, key=order)


def _header(place: RobustnessColumn, summary: SummaryTable) -> tuple[str, ...]:
    """Give the lines above a column, with the marks of its protocol."""
    noises = ", ".join(place.noises)
    if len(place.noises) > 1:
        noises = f"mean of {noises}"
    snrs = ", ".join(f"{snr:g}" for snr in place.snrs)
    column = next(
        one
        for one in summary.columns
        if (one.corpus, one.protocol) == (place.corpus, place.protocol)
    )
    return place.corpus, noises, f"{snrs} dB", *summary.header(column)[2:]


def _entry(curve: _Curve, classes: Sequence[str]) -> Robustness:
    counts = curve.counts
    answers = sum(one.answers.sum(axis=(0, 1)) for one in counts)
    return Robustness(
        measured={
            (metric, kind): _estimate(sample, kind)
            for (metric, kind), sample in curve.measured.items()
        },
        worst=_worst(np.asarray(answers), classes),
        seeds=list(curve.noisy[0]),
        utterances=counts[0].utterances,
        units=len(counts[0].answers),
        pooled=counts[0].pooled,
        chance={
            metric: chance(metric, counts[0].folds) for metric, _ in curve.measured
        },
    )


def _estimate(sample: Sample, kind: str) -> Estimate:
    """Give the interval on the scale of its kind: a fraction stays within 0..1."""
    # Where a row answers as the reference does, its errors are once those.
    about = {"relative": sample.value, "corruption": 1.0}.get(kind, 0.0)
    found = sample.interval() if kind == "area" else interval(sample, about)
    return Estimate(sample.value, *(found or (None, None)))


def _worst(answers: NDArray[np.int64], classes: Sequence[str]) -> WorstClass:
    """Find the class with the lowest recall; of several, the first."""
    support = answers.sum(axis=1)
    recall = {
        name: float(hits / total)
        for name, hits, total in zip(classes, answers.diagonal(), support, strict=True)
        if total
    }
    name = min(recall, key=lambda one: recall[one])
    return WorstClass(name, recall[name])


def _classes(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Read the names of each corpus's classes."""
    contents = (
        json.loads((folder / RESULT).read_text(encoding="utf-8"))
        for root in folders
        for folder in result_folders(root)
    )
    return {one["cell"]["corpus"]: tuple(one["classes"]) for one in contents}
