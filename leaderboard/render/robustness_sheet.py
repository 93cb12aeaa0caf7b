"""The layout of a robustness table, and its records for CSV and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import chain, product

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.analysis.robustness_measures import (
    Robustness,
    RobustnessColumn,
    RobustnessTable,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.render.csv_json import (
    Record,
    csv_text,
    interval_fields,
    json_text,
)
from nserbench.leaderboard.render.layout import (
    CHANCE_NOTE,
    FEW,
    FEW_NOTE,
    POOLED,
    POOLED_NOTE,
    TITLES,
    TableCell,
    TableLayout,
    brackets_note,
    is_few,
    plain,
    two_best,
)
from nserbench.leaderboard.render.numbers import NO_INTERVAL, interval, percent

MISSING = "-"
"""Written where a measure cannot be computed."""

FORMATS: dict[str, Callable[[float], str]] = {
    "area": percent,
    "slope": partial(percent, digits=2),
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
"""Title of each measure; the braces stand for the title of a metric."""
WORST = ("recall", "worst")
"""Metric and measure of the worst class in records."""


def robustness_layout(table: RobustnessTable) -> TableLayout:
    """Return the layout of a robustness table.

    Only the area and the worst class have their best numbers marked. A row at chance
    level loses nothing in noise, so it would be the best in the other measures.
    """
    kinds = _kinds(table)
    titles = [
        NAMES[kind].format(TITLES[metric]) for metric in table.metrics for kind in kinds
    ]
    columns = [_column(table, column) for column in table.columns]
    return TableLayout(
        rows=table.rows,
        headers=[_header(table, column) for column in table.columns],
        titles=[*titles, "worst class"],
        cells=[list(cells) for cells in zip(*columns, strict=True)],
        ranks=[],
        caption="over all SNRs of each noise",
        intervals=list(_interval_notes(table)),
        notes=list(_notes(table)),
        chance=[_chance(table, column) for column in table.columns],
    )


def _kinds(table: RobustnessTable) -> tuple[str, ...]:
    if table.reference is None:
        return "area", "slope", "loss"
    return "area", "slope", "corruption", "relative"


def _entries(table: RobustnessTable, column: RobustnessColumn) -> list[Robustness]:
    return [entry for (_, key), entry in table.entries.items() if key == column]


def _header(table: RobustnessTable, column: RobustnessColumn) -> tuple[str, ...]:
    corpus, noises, *rest = table.headers[column]
    entries = _entries(table, column)
    few, pooled = any(map(_is_few, entries)), any(entry.pooled for entry in entries)
    return corpus, noises + FEW * few + POOLED * pooled, *rest


def _chance(table: RobustnessTable, column: RobustnessColumn) -> list[str]:
    """Return the chance level of a column for each title; only the area has one."""
    levels = Counter(
        tuple(entry.chance[metric] for metric in table.metrics)
        for entry in _entries(table, column)
    )
    usual = levels.most_common(1)[0][0]
    lines = [[percent(chance), *[""] * (len(_kinds(table)) - 1)] for chance in usual]
    return [*chain.from_iterable(lines), ""]


def _is_few(entry: Robustness) -> bool:
    return is_few(entry.units, entry.measured.values())


def _column(table: RobustnessTable, column: RobustnessColumn) -> list[list[TableCell]]:
    """Return the cells of a column, ``[row][title]``."""
    entries = [table.entries.get((row, column)) for row in table.rows]
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
    best = two_best([cell.value or None for cell in cells])
    return [
        replace(cell, column_rank=rank) for cell, rank in zip(cells, best, strict=True)
    ]


def _cell(entry: Robustness | None, metric: str, kind: str) -> TableCell:
    if entry is None:
        return TableCell("")
    if (estimate := entry.measured.get((metric, kind))) is None:
        return TableCell(MISSING)
    number = FORMATS[kind]
    return TableCell(number(estimate.value), interval(estimate, number))


def _worst(entry: Robustness | None) -> TableCell:
    if entry is None:
        return TableCell("")
    return TableCell(percent(entry.worst.recall), word=entry.worst.name)


def _interval_notes(table: RobustnessTable) -> Iterator[str]:
    entries = table.entries.values()
    yield brackets_note(table.protocols, [entry.seeds for entry in entries])
    estimates = (estimate for entry in entries for estimate in entry.measured.values())
    if any(estimate.low is None for estimate in estimates):
        yield (
            f"[{NO_INTERVAL}]: no interval, since there is only one speaker, or since "
            "the interval of the reference includes 0"
        )


def _notes(table: RobustnessTable) -> Iterator[str]:
    if any(map(_is_few, table.entries.values())):
        yield FEW_NOTE
    if any(entry.pooled for entry in table.entries.values()):
        yield POOLED_NOTE
    yield CHANCE_NOTE
    yield (
        "area: area under the curve over the SNR in dB, divided by the range of the "
        "SNR; this is the mean of the metric, in percent"
    )
    yield "/dB: loss in percentage points for each dB that the SNR falls"
    if table.reference is None:
        yield "lost: percentage points, from clean speech to the mean over the SNRs"
    else:
        reference = plain(str(table.reference))
        yield (
            "CE: corruption error, the errors at all SNRs together, in percent of "
            f"those of {reference}; its mean over noises is mCE"
        )
        yield (
            "rCE: relative corruption error, the loss from clean speech to the mean "
            f"over the SNRs, in percent of the loss of {reference}; its mean over "
            "noises is relative mCE"
        )
    yield (
        "worst class: the class with the lowest recall over all SNRs together, and "
        "this recall in percent"
    )
    yield from _missing_notes(table)
    yield from (f"protocol {plain(str(protocol))}" for protocol in table.protocols)
    yield from map(plain, table.notes)


def _missing_notes(table: RobustnessTable) -> Iterator[str]:
    if _lacks(table, "loss"):
        yield f"{MISSING}: no result on clean speech with the same utterances and seeds"
    if _lacks(table, "corruption"):
        yield (
            f"{MISSING} (CE): the reference has no result with the same utterances and "
            "seeds, or it makes no errors"
        )
    if _lacks(table, "relative"):
        yield (
            f"{MISSING} (rCE): the row or the reference has no result on clean speech "
            "with the same utterances and seeds, or the reference loses nothing"
        )


def _lacks(table: RobustnessTable, kind: str) -> bool:
    """Return whether a measure that is shown is missing in some entry."""
    return kind in _kinds(table) and any(
        (metric, kind) not in entry.measured
        for entry in table.entries.values()
        for metric in table.metrics
    )


def robustness_csv(table: RobustnessTable) -> str:
    """Return a CSV row for each number.

    Numbers are fractions of 1, and per dB for the slope. The recall of the worst class
    has the metric ``recall`` and the measure ``worst``. ``corruption`` and ``relative``
    are ratios to the reference row.
    """
    return csv_text(list(_records(table)))


def robustness_json(table: RobustnessTable) -> str:
    """Return the rows of the CSV file as JSON objects, with protocols and notes."""
    return json_text(
        {
            "unit": "fraction of 1; slope per dB",
            "rows": list(_records(table)),
            "reference": asdict(table.reference) if table.reference else None,
            "protocols": list(map(str, table.protocols)),
            "notes": table.notes,
        }
    )


def _records(table: RobustnessTable) -> Iterator[Record]:
    for row, column in product(table.rows, table.columns):
        if entry := table.entries.get((row, column)):
            worst = Estimate(entry.worst.recall, None, None)
            for key, estimate in [*entry.measured.items(), (WORST, worst)]:
                yield _record(row, column, entry, key, estimate)


def _record(
    row: Row,
    column: RobustnessColumn,
    entry: Robustness,
    key: tuple[str, str],
    estimate: Estimate,
) -> Record:
    metric, kind = key
    return {
        **asdict(row),
        "corpus": column.corpus,
        "noises": list(column.noises),
        "snrs": list(column.snrs),
        "protocol": column.protocol,
        "metric": metric,
        "measure": kind,
        **interval_fields(estimate),
        "worst_class": entry.worst.name if key == WORST else None,
        "folds": "pooled" if entry.pooled else "mean",
        "chance": entry.chance[metric] if kind == "area" else None,
        "seeds": list(entry.seeds),
        "utterances": entry.utterances,
        "units": entry.units,
    }
