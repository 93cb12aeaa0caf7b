"""What a table of robustness shows, and its records for CSV and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, product
from typing import TypedDict

from nserbench.leaderboard.analysis.robustness_measures import (
    Estimate,
    Robustness,
    RobustnessColumn,
    RobustnessTable,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.render.csv_json import csv_text, json_text, names_of
from nserbench.leaderboard.render.layout import (
    CHANCE_NOTE,
    FEW,
    FEW_NOTE,
    NO_INTERVAL,
    POOLED,
    POOLED_NOTE,
    TITLES,
    TableCell,
    TableLayout,
    bounds,
    brackets_note,
    is_few,
    percent,
    places,
    plain,
)

MISSING = "-"
"""What stands where a measure cannot be told."""


def points(value: float) -> str:
    """Write a loss per dB in percentage points, of which there are few.

    Examples:
        >>> points(0.00473)
        '0.47'
    """
    return f"{100 * value:.2f}"


WRITTEN: dict[str, Callable[[float], str]] = {
    "area": percent,
    "slope": points,
    "loss": percent,
    "corruption": percent,
    "relative": percent,
}
NAMES = {
    "area": "{} area",
    "slope": "{}/dB",
    "loss": "{} lost",
    "corruption": "{} CE",
    "relative": "{} rCE",
}
"""The title of each kind, for the title of a metric."""


class RobustnessRecord(TypedDict):
    """A line of the CSV form; fractions of 1, per dB for the slope.

    The recall of the worst class has the metric ``recall``, the measure ``worst`` and
    the class. ``corruption`` and ``relative`` are fractions of what the reference has.
    """

    upstream: str
    downstream: str
    corpus: str
    noises: list[str]
    snrs: list[float]
    protocol: str
    metric: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    worst_class: str | None
    folds: str
    chance: float | None
    seeds: list[int]
    utterances: int
    units: int


def robustness_layout(table: RobustnessTable) -> TableLayout:
    """Say what is shown of a table of robustness.

    The best is marked for the mean over the SNRs and for the worst class alone: a row
    at chance has nothing to lose, and would lead the others.
    """
    kinds = _kinds(table)
    titles = [
        NAMES[kind].format(TITLES[one]) for one in table.metrics for kind in kinds
    ]
    shown = [_column(table, place) for place in table.places]
    return TableLayout(
        rows=table.rows,
        headers=[_header(table, place) for place in table.places],
        titles=[*titles, "worst class"],
        cells=[list(cells) for cells in zip(*shown, strict=True)],
        ranks=[],
        caption="over all SNRs of each noise",
        intervals=list(_interval_notes(table)),
        notes=list(_notes(table)),
        chance=[_chance(table, place) for place in table.places],
    )


def _kinds(table: RobustnessTable) -> tuple[str, ...]:
    if table.reference is None:
        return "area", "slope", "loss"
    return "area", "slope", "corruption", "relative"


def _header(table: RobustnessTable, place: RobustnessColumn) -> tuple[str, ...]:
    corpus, noises, *rest = table.headers[place]
    found = [one for (_, at), one in table.entries.items() if at == place]
    few, pooled = any(map(_is_few, found)), any(one.pooled for one in found)
    return corpus, noises + FEW * few + POOLED * pooled, *rest


def _chance(table: RobustnessTable, place: RobustnessColumn) -> list[str]:
    """Return the last cell of a column; guessing has nothing to lose."""
    found = Counter(
        tuple(one.chance[metric] for metric in table.metrics)
        for (_, at), one in table.entries.items()
        if at == place
    )
    usual = found.most_common(1)[0][0]
    lines = [[percent(one), *[""] * (len(_kinds(table)) - 1)] for one in usual]
    return [*chain.from_iterable(lines), ""]


def _is_few(entry: Robustness) -> bool:
    return is_few(entry.units, [one.low for one in entry.measured.values()])


def _column(table: RobustnessTable, place: RobustnessColumn) -> list[list[TableCell]]:
    """Give the cells of a column, ``[row][line]``."""
    entries = [table.entries.get((row, place)) for row in table.rows]
    lines = [
        _ranked([_cell(entry, metric, kind) for entry in entries], kind == "area")
        for metric in table.metrics
        for kind in _kinds(table)
    ]
    lines.append(_ranked([_worst(entry) for entry in entries], True))
    return [list(cells) for cells in zip(*lines, strict=True)]


def _ranked(cells: list[TableCell], marked: bool) -> list[TableCell]:
    if not marked:
        return cells
    ranked = places([cell.value or None for cell in cells])
    return [
        replace(cell, column_rank=place)
        for cell, place in zip(cells, ranked, strict=True)
    ]


def _cell(entry: Robustness | None, metric: str, kind: str) -> TableCell:
    if entry is None:
        return TableCell("")
    if (found := entry.measured.get((metric, kind))) is None:
        return TableCell(MISSING)
    written = WRITTEN[kind]
    return TableCell(written(found.value), bounds(found.low, found.high, written))


def _worst(entry: Robustness | None) -> TableCell:
    if entry is None:
        return TableCell("")
    return TableCell(percent(entry.worst.recall), word=entry.worst.name)


def _interval_notes(table: RobustnessTable) -> Iterator[str]:
    seeds = [entry.seeds for entry in table.entries.values()]
    yield brackets_note(table.protocols, seeds)
    entries = table.entries.values()
    if any(one.low is None for entry in entries for one in entry.measured.values()):
        yield (
            f"[{NO_INTERVAL}]: no interval, with one speaker or where the reference "
            "may lose nothing"
        )


def _notes(table: RobustnessTable) -> Iterator[str]:
    if any(map(_is_few, table.entries.values())):
        yield FEW_NOTE
    if any(entry.pooled for entry in table.entries.values()):
        yield POOLED_NOTE
    yield CHANCE_NOTE
    yield "area: the mean over the range of the SNR, by trapezoids, percent"
    yield "/dB: percentage points lost for each dB that the noise comes up"
    if table.reference is None:
        yield "lost: percentage points, from clean to the mean over the SNRs"
    else:
        reference = plain(str(table.reference))
        yield (
            "CE: corruption error, the errors at all SNRs together in percent of those "
            f"of {reference}; its mean over noises is mCE"
        )
        yield (
            "rCE: relative corruption error, what is lost from clean to the mean over "
            f"the SNRs in percent of what {reference} loses; its mean over noises is "
            "relative mCE"
        )
    yield "worst class: the lowest recall over all SNRs, percent"
    if _lacks(table, "corruption"):
        yield (
            f"{MISSING} (CE): no result of the reference on the same utterances and "
            "with the same seeds, or it makes no error"
        )
    last = _kinds(table)[-1]
    if _lacks(table, last):
        others = ", of the row or of the reference, or the reference loses nothing"
        of = " (rCE)" if table.reference else ""
        yield (
            f"{MISSING}{of}: no clean result on the same utterances and with the same "
            f"seeds{others if table.reference else ''}"
        )
    yield from (f"protocol {plain(protocol)}" for protocol in table.protocols)
    yield from map(plain, table.notes)


def _lacks(table: RobustnessTable, kind: str) -> bool:
    """Tell whether a kind that is shown is missing somewhere."""
    return kind in _kinds(table) and any(
        (metric, kind) not in entry.measured
        for entry in table.entries.values()
        for metric in table.metrics
    )


def robustness_csv(table: RobustnessTable) -> str:
    """Give a line for each number; see `RobustnessRecord`."""
    return csv_text(list(RobustnessRecord.__annotations__), list(_records(table)))


def robustness_json(table: RobustnessTable) -> str:
    """Give the rows of the CSV form as objects, with the protocols and notes."""
    return json_text(
        {
            "unit": "fraction of 1; slope per dB",
            "rows": list(_records(table)),
            "reference": names_of(table.reference) if table.reference else None,
            "protocols": table.protocols,
            "notes": table.notes,
        }
    )


def _records(table: RobustnessTable) -> Iterator[RobustnessRecord]:
    for row, place in product(table.rows, table.places):
        if (entry := table.entries.get((row, place))) is None:
            continue
        for (metric, kind), found in entry.measured.items():
            yield _record(row, place, entry, metric, kind, found)
        worst = Estimate(entry.worst.recall, None, None)
        yield _record(row, place, entry, "recall", "worst", worst)


def _record(
    row: Row,
    place: RobustnessColumn,
    entry: Robustness,
    metric: str,
    kind: str,
    found: Estimate,
) -> RobustnessRecord:
    return RobustnessRecord(
        upstream=row.upstream,
        downstream=row.downstream,
        corpus=place.corpus,
        noises=list(place.noises),
        snrs=list(place.snrs),
        protocol=place.protocol,
        metric=metric,
        measure=kind,
        value=found.value,
        low=found.low,
        high=found.high,
        worst_class=entry.worst.name if kind == "worst" else None,
        folds="pooled" if entry.pooled else "mean",
        chance=entry.chance[metric] if kind == "area" else None,
        seeds=list(entry.seeds),
        utterances=entry.utterances,
        units=entry.units,
    )
