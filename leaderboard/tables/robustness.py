"""The robustness table: how much each row loses over the SNRs of each noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.metrics import chance
from nserbench.errors import NserbenchError
from nserbench.leaderboard.analysis.robustness_measures import (
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
from nserbench.leaderboard.reading.counts import Column, Counts, Row, RowColumn
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.reading.latest import comparable
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Seeds: TypeAlias = Mapping[int, Counts]
"""The counts of a cell by seed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """The results of a row over the SNRs of a noise.

    Attributes:
        noisy: The counts at each SNR, all with the same seeds.
        measured: By metric and measure.
        errors: The mean error over the SNRs by metric, for the corruption error.
    """

    noisy: Sequence[Seeds]
    measured: Mapping[tuple[str, str], Sample]
    errors: Mapping[str, Sample]

    @property
    def counts(self) -> list[Counts]:
        """The counts at all SNRs with all seeds."""
        return [counts for seeds in self.noisy for counts in seeds.values()]


Curves: TypeAlias = dict[tuple[Row, RobustnessColumn], _Curve]


def robustness_table(
    roots: Path | Sequence[Path],
    metrics: Sequence[str],
    *,
    reference: Row | None = None,
) -> RobustnessTable:
    """Measure the robustness of every row to every noise with two or more SNRs.

    Errors and losses are also divided by those of the reference, if there is one.

    Raises:
        BadResult: if a folder has no results, or one cannot be read.
        UnknownName: if the reference is not a row of the table.
        NserbenchError: if no row was tested with a noise at two SNRs.
    """
    folders = [roots] if isinstance(roots, Path) else list(roots)
    summary = summary_table(folders, metrics, reference=reference)
    cells, _ = read_cells(folders)
    done = {key: seeds for key, of in cells.items() if (seeds := comparable(of))}
    curves, notes = _curves(done, metrics)
    if not curves:
        raise NserbenchError(
            "no row was tested with a noise at two or more SNRs, so there is no "
            "robustness to show\n"
            "  run a noise at several SNRs, for example --snr -5 --snr 0 --snr 5"
            + "".join(f"\n  {line}" for line in summary.left_out)
        )
    if reference is not None:
        curves = {
            (row, column): _compared(curve, curves.get((reference, column)), metrics)
            for (row, column), curve in curves.items()
        }
    curves |= _averaged(curves)
    columns = _sorted({column for _, column in curves}, summary)
    rows = {row for row, _ in curves}
    return RobustnessTable(
        rows=[row for row in summary.rows if row in rows],
        columns=columns,
        headers={column: _header(column, summary) for column in columns},
        metrics=metrics,
        entries={key: _entry(curve) for key, curve in curves.items()},
        reference=reference,
        protocols=summary.protocols,
        notes=[*summary.notes, *notes],
        left_out=summary.left_out,
    )


def _curves(
    cells: Mapping[RowColumn, Seeds], metrics: Sequence[str]
) -> tuple[Curves, list[str]]:
    """Return the curves over the SNR, and a note for each that cannot be measured."""
    by_noise: dict[tuple[Row, str, str, str], dict[float, Seeds]] = defaultdict(dict)
    for (row, column), seeds in cells.items():
        noise, at, snr = column.condition.rpartition("@")
        if at:
            by_noise[row, column.corpus, noise, column.protocol][float(snr)] = seeds
    curves: Curves = {}
    missing: dict[str, list[str]] = defaultdict(list)
    for (row, corpus, noise, protocol), by_snr in by_noise.items():
        snrs = tuple(sorted(by_snr))
        noisy = [by_snr[snr] for snr in snrs]
        if len(snrs) < 2:
            missing[f"{corpus} {noise}: tested at one SNR only"].append(str(row))
        elif len(set(map(_test, noisy))) > 1:
            missing[f"{corpus} {noise}: {_DIFFERENT}"].append(str(row))
        else:
            clean = cells.get((row, Column(corpus, "clean", protocol)), {})
            if clean and _test(clean) != _test(noisy[0]):
                clean = {}
            key = row, RobustnessColumn(corpus, (noise,), protocol, snrs)
            measured = _measured(snrs, noisy, clean, metrics)
            errors = {
                name: _applied(_over_snrs(noisy, name), error) for name in metrics
            }
            curves[key] = _Curve(noisy, measured, errors)
    notes = [
        f"{reason}, so missing here ({', '.join(rows)})"
        for reason, rows in missing.items()
    ]
    return curves, notes


_DIFFERENT = (
    "the SNRs were tested on different utterances, labels or folds, or with other seeds"
)


def _test(cell: Seeds) -> tuple[int, tuple[int, ...]]:
    """Return what is equal for two cells on the same utterances with the same seeds."""
    return next(iter(cell.values())).tested, tuple(cell)


def _measured(
    snrs: Sequence[float], noisy: Sequence[Seeds], clean: Seeds, metrics: Sequence[str]
) -> dict[tuple[str, str], Sample]:
    """Compute the measures of a curve, with each seed and in each draw."""
    measured = {}
    for metric in metrics:
        curve = _over_snrs(noisy, metric)
        measured[metric, "area"] = _applied(curve, lambda values: area(snrs, values))
        steepest = float(slope(snrs, (np.array(snrs) > np.mean(snrs)).astype(float)))
        measured[metric, "slope"] = replace(
            _applied(curve, lambda values: slope(snrs, values)), span=steepest
        )
        if clean:
            measured[metric, "loss"] = _applied(
                _over_snrs([clean, *noisy], metric),
                lambda values: loss(values[..., 0], values[..., 1:]),
            )
    return measured


def _over_snrs(cells: Sequence[Seeds], metric: str) -> Sample:
    """Compute a metric in each cell, joined along the last axis."""
    return _stacked(
        [
            Sample.of({seed: item.resampled() for seed, item in cell.items()}, metric)
            for cell in cells
        ]
    )


def _stacked(samples: Sequence[Sample]) -> Sample:
    """Join samples along a new last axis."""
    drawn = [sample.drawn for sample in samples if sample.drawn is not None]
    return replace(
        samples[0],
        span=float(np.mean([sample.span for sample in samples])),
        seed_values=np.stack([sample.seed_values for sample in samples], axis=-1),
        drawn=np.stack(drawn, axis=-1) if len(drawn) == len(samples) else None,
    )


def _applied(sample: Sample, function: Callable[[Floats], Floats]) -> Sample:
    """Apply a function that reduces the last axis of joined samples."""
    drawn = None if sample.drawn is None else function(sample.drawn)
    return replace(sample, seed_values=function(sample.seed_values), drawn=drawn)


def _compared(
    curve: _Curve, reference: _Curve | None, metrics: Sequence[str]
) -> _Curve:
    """Add the errors and the loss divided by those of the reference."""
    if reference is None or _test(reference.noisy[0]) != _test(curve.noisy[0]):
        return curve
    measured = dict(curve.measured)
    for metric in metrics:
        if errors := ratio(curve.errors[metric], reference.errors[metric]):
            measured[metric, "corruption"] = errors
        lost, of = (item.measured.get((metric, "loss")) for item in (curve, reference))
        if lost and of and (relative := ratio(lost, of)):
            measured[metric, "relative"] = relative
    return replace(curve, measured=measured)


def _averaged(curves: Curves) -> Curves:
    """Average the noises of each row that have the same SNRs, if there are several."""
    groups: dict[tuple[Row, RobustnessColumn], list[tuple[str, _Curve]]] = defaultdict(
        list
    )
    for (row, column), curve in curves.items():
        groups[row, replace(column, noises=())].append((column.noises[0], curve))
    means = {}
    for (row, column), named in groups.items():
        noises, of = zip(*sorted(named, key=itemgetter(0)), strict=True)
        if len(noises) > 1 and len({_test(curve.noisy[0]) for curve in of}) == 1:
            means[row, replace(column, noises=noises)] = _mean(of)
    return means


def _mean(curves: Sequence[_Curve]) -> _Curve:
    """Average the measures that all curves have."""
    measured = {}
    for key in curves[0].measured:
        samples = [curve.measured[key] for curve in curves if key in curve.measured]
        if len(samples) == len(curves):
            mean = _applied(_stacked(samples), lambda values: values.mean(axis=-1))
            measured[key] = mean
    return _Curve([seeds for curve in curves for seeds in curve.noisy], measured, {})


def _sorted(
    columns: Iterable[RobustnessColumn], summary: SummaryTable
) -> list[RobustnessColumn]:
    """Sort as in the summary table; a mean of noises comes after them."""
    corpora = [column.corpus for column in summary.columns]

    def order(column: RobustnessColumn) -> tuple[object, ...]:
        corpus, mean = corpora.index(column.corpus), len(column.noises) > 1
        return corpus, column.protocol, column.snrs, mean, column.noises

    return sorted(columns, key=order)


def _header(column: RobustnessColumn, summary: SummaryTable) -> tuple[str, ...]:
    """Return the header lines of a column, with the warnings about its protocol."""
    noises = ", ".join(column.noises)
    if len(column.noises) > 1:
        noises = f"mean of {noises}"
    snrs = ", ".join(f"{snr:g}" for snr in column.snrs)
    names = column.corpus, column.protocol
    same = next(
        item for item in summary.columns if (item.corpus, item.protocol) == names
    )
    return column.corpus, noises, f"{snrs} dB", *summary.header(same)[2:]


def _entry(curve: _Curve) -> Robustness:
    first = curve.counts[0]
    return Robustness(
        measured={
            (metric, kind): _estimate(sample, kind)
            for (metric, kind), sample in curve.measured.items()
        },
        worst=_worst(curve.counts),
        seeds=list(curve.noisy[0]),
        utterances=first.utterances,
        units=len(first.answers),
        pooled=first.pooled,
        chance={metric: chance(metric, first.folds) for metric, _ in curve.measured},
    )


def _estimate(sample: Sample, kind: str) -> Estimate:
    """Add the interval; that of the area is within 0 to 1, since it is a fraction."""
    # A row that answers as the reference does has its errors: their ratio is 1.
    about = {"relative": sample.value, "corruption": 1.0}.get(kind, 0.0)
    bounds = sample.interval() if kind == "area" else interval(sample, about)
    return Estimate(sample.value, *(bounds or (None, None)))


def _worst(counts: Sequence[Counts]) -> WorstClass:
    """Return the class with the lowest recall; of several, the first."""
    answers = np.sum([item.answers.sum(axis=(0, 1)) for item in counts], axis=0)
    rows = zip(counts[0].classes, answers.diagonal(), answers.sum(axis=1), strict=True)
    recall = {name: float(hits / total) for name, hits, total in rows if total}
    name = min(recall, key=lambda name: recall[name])
    return WorstClass(name, recall[name])
