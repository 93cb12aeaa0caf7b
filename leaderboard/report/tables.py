"""Tables of scores in the paper's layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nserbench.benchmark.experiments.layout import EVERY_LAYER, ReportItem, ReportRow
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.render.layout import (
    FEW,
    POOLED,
    SUSPECT,
    TITLES,
    is_few,
)
from nserbench.leaderboard.render.numbers import interval, percent
from nserbench.leaderboard.report.source import Place, ReportData
from nserbench.leaderboard.tables.summary import SummaryEntry

NOT_ASKED = "\N{EN DASH}"
LAYERS = range(1, 13)
"""Of the paper's models, as Figs. 3 and 4 number them."""

CHOOSES = "f1_macro"
"""What the best layer is chosen by, as the paper's text does (Sec. V-B, Table IV)."""


@dataclass(frozen=True, slots=True)
class ReportCell:
    """What stands in a place of a table.

    Attributes:
        text: As it is read.
        value: By which it is compared in its column; None where it is not.
    """

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A table ready to be shown.

    Attributes:
        title: What it is.
        names: Headings of the columns that name rows.
        heads: Headings of the other columns.
        rows: The names and the values of each row.
        notes: Below it.
        by_metric: Whether the last name of each row is a metric.
    """

    title: str
    names: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[tuple[Sequence[str], Sequence[ReportCell]]]
    notes: Sequence[str] = ()
    by_metric: bool = False


@dataclass(slots=True)
class ReportNotes:
    """Reasons, each said once with all that it holds for."""

    found: dict[tuple[str, str], dict[str, dict[str, None]]] = field(
        default_factory=dict
    )

    def add(self, mark: str, reason: str, who: str = "", where: str = "") -> str:
        """Remember why something is not there, and give the mark that stands for it.

        Args:
            mark: What stands in its place.
            reason: Why.
            who: The row; empty where the reason says all.
            where: The corpus and condition; empty where it holds for the whole row.
        """
        self.found.setdefault((mark, reason), {}).setdefault(who, {})[where] = None
        return mark

    def lines(self) -> Iterator[str]:
        """Give a line for each mark and reason."""
        for (mark, reason), rows in self.found.items():
            told = [_told(who, [*filter(None, where)]) for who, where in rows.items()]
            yield ": ".join(filter(None, (mark, "; ".join(told), _line(reason))))


def _told(who: str, where: Sequence[str]) -> str:
    return f"{who} ({', '.join(where)})" if where else who


def _line(text: str) -> str:
    return " ".join(text.split())


def score_sections(source: ReportData, part: ReportItem) -> Iterator[Section]:
    """Lay out the scores of each row in each corpus and condition."""
    for title, places in _divided(source, part):
        notes = ReportNotes()
        rows = [
            ((line.group, line.title, TITLES[metric]), shown)
            for line in part.rows
            for metric, shown in _scores(source, part, line, places, notes)
        ]
        heads = [heading(source, part, place) for place in places]
        names = ("method", "feature", "")
        yield Section(title, names, heads, rows, list(notes.lines()), by_metric=True)


def layer_sections(source: ReportData, part: ReportItem) -> Iterator[Section]:
    """Lay out the scores of each layer in each corpus and condition."""
    places = all_places(source, part)
    heads = [heading(source, part, place) for place in places]
    (metric,) = part.metrics
    for line in part.rows:
        notes = ReportNotes()
        rows = _layers(source, part, line, places, metric, notes)
        title = f"{part.name}, {line}: {part.caption}"
        told = [*notes.lines(), *_peaks(source, part, line, places, metric)]
        yield Section(title, ("layer",), heads, rows, told)


def _peaks(
    source: ReportData,
    part: ReportItem,
    line: ReportRow,
    places: Sequence[Place],
    metric: str,
) -> Iterator[str]:
    """Say which layer is the best in the paper, and what is known of its numbers."""
    named = {
        layer: source.printed(part, f"{line} L{layer}") for layer in sorted(LAYERS)
    }
    peaks = []
    for at in places:
        found = {
            layer: float(numbers[*at, metric])
            for layer, numbers in named.items()
            if (*at, metric) in numbers
        }
        if found:
            best = max(found, key=lambda layer: found[layer])
            peaks.append(f"{heading(source, part, at)} L{best}")
    if peaks:
        yield f"the paper's best layer, as its text says: {', '.join(peaks)}"
        labels = {f"{line} L{layer}" for layer in named}
        rows = [row for table in source.tables(part) for row in table.rows]
        notes = [row.note for row in rows if row.label in labels and row.note]
        yield from (f"the paper: {note}" for note in dict.fromkeys(notes))


def _layers(
    source: ReportData,
    part: ReportItem,
    line: ReportRow,
    places: Sequence[Place],
    metric: str,
    notes: ReportNotes,
) -> list[tuple[Sequence[str], Sequence[ReportCell]]]:
    """Give a row for each layer that the paper has, or that has a result."""
    found = dict(source.layers(line))
    there, asked = source.existing_layers(line), source.places(line)
    rows: list[tuple[Sequence[str], Sequence[ReportCell]]] = []
    for layer in sorted({*found, *LAYERS}):
        if there is None or layer in there or layer in found:
            row, paper = found.get(layer), source.printed(part, f"{line} L{layer}")
            entries = [
                _entry(source, row, asked.get(at), line, metric, notes) for at in places
            ]
            shown = [
                beside(one, paper.get((*at, metric)))
                for at, one in zip(places, entries, strict=True)
            ]
        else:
            mark = notes.add("n/a", "the model has no such layer", f"L{layer}")
            shown = [ReportCell(mark) for _ in places]
        rows.append(((f"L{layer}",), shown))
    return rows


def all_places(source: ReportData, part: ReportItem) -> list[Place]:
    """Give every corpus and condition that some row of a part is asked for in."""
    lines = [line for line in part.rows if line.reason is None]
    return list(dict.fromkeys(at for line in lines for at in source.places(line)))


def heading(source: ReportData, part: ReportItem, place: Place) -> str:
    """Name a column as the paper prints it; as results do where it has none."""
    for table in source.tables(part):
        for column in table.columns:
            if place in [tuple(one) for one in column.ours]:
                return column.label
    return " ".join(place)


def _divided(source: ReportData, part: ReportItem) -> Iterator[tuple[str, list[Place]]]:
    """Divide a table where each corpus and noise has its own."""
    places = all_places(source, part)
    if not part.by_noise:
        yield f"{part.name}: {part.caption}", places
        return
    noises: dict[Place, list[Place]] = {}
    for corpus, condition in places:
        noise = condition.partition("@")[0]
        noises.setdefault((corpus, noise), []).append((corpus, condition))
    for (corpus, noise), own in noises.items():
        printed = [
            table.name
            for table in source.tables(part)
            for column in table.columns
            if own[0] in [tuple(one) for one in column.ours]
        ]
        name = printed[0] if printed else f"{part.name}, {corpus} {noise}"
        yield f"{name}: {part.caption}", own


def _scores(
    source: ReportData,
    part: ReportItem,
    line: ReportRow,
    places: Sequence[Place],
    notes: ReportNotes,
) -> Iterator[tuple[str, list[ReportCell]]]:
    """Give what stands in each place of a row, metric by metric."""
    printed = source.printed(part, str(line))
    for metric in part.metrics:
        row = []
        for at in places:
            shown = shown_score(source, line, at, metric, notes)
            row.append(beside(shown, printed.get((*at, metric))))
        yield metric, row


def beside(shown: ReportCell, paper: str | None) -> ReportCell:
    """Put what the paper prints beside ours, in parentheses; nothing if it is None."""
    return (
        shown if paper is None else ReportCell(f"{shown.text} ({paper})", shown.value)
    )


def shown_score(
    source: ReportData, line: ReportRow, at: Place, metric: str, notes: ReportNotes
) -> ReportCell:
    """Show the score of a row in a place, or a mark whose reason is noted."""
    if line.reason is not None:
        return ReportCell(notes.add("none", line.reason, str(line)))
    column = source.places(line).get(at)
    if line.downstream == EVERY_LAYER and column is not None:
        return _best(source, line, column, metric, notes)
    return _entry(source, source.row(line), column, line, metric, notes)


def _best(
    source: ReportData, line: ReportRow, column: Column, metric: str, notes: ReportNotes
) -> ReportCell:
    """Show the layer with the highest F1 on the test part, and say which it is."""
    chooses = CHOOSES if CHOOSES in source.table.metrics else metric
    done = [
        (entry.scores[chooses].value, layer, entry)
        for layer, row in source.layers(line)
        if layer > 0  # the paper numbers layers from 1
        and (entry := source.table.entries.get((row, column)))
        and entry.scores
    ]
    if not done:
        return _entry(source, source.row(line), column, line, metric, notes)
    _, layer, entry = max(done, key=lambda one: one[:2])
    why = f"the layer with the highest {TITLES[chooses]} on the test part: it flatters"
    notes.add("L", why, str(line))
    return ReportCell(f"{_said(entry, metric)} L{layer} of {len(done)}")


def _entry(
    source: ReportData,
    row: Row | None,
    column: Column | None,
    line: ReportRow,
    metric: str,
    notes: ReportNotes,
) -> ReportCell:
    if column is None:
        return ReportCell(notes.add(NOT_ASKED, "not in the grid"))
    entry = source.table.entries.get((row, column)) if row else None
    if entry is not None and entry.scores:
        return ReportCell(_said(entry, metric), entry.scores[metric].value)
    who, where = str(line), str(column)
    trouble = source.trouble(line, column)
    if entry is not None and row is not None:
        reason = source.reasons[row, column]
        mark = "failed" if entry.status == "failed" else "n/a"
        return ReportCell(notes.add(mark, reason, who, where))
    if trouble is not None:
        mark = "n/a" if trouble.impossible else "missing"
        return ReportCell(notes.add(mark, trouble.reason, who, where))
    return ReportCell(notes.add("not run", "there is no result yet"))


def _said(entry: SummaryEntry, metric: str) -> str:
    score, mark = entry.scores[metric], FEW if marked(entry, metric) else ""
    mark += POOLED * entry.pooled + SUSPECT * bool(entry.flags)
    return f"{percent(score.value)} [{interval(score.low, score.high)}]{mark}"


def marked(entry: SummaryEntry, metric: str) -> bool:
    """Tell whether an interval rests on few units."""
    return is_few(entry.units, [entry.scores[metric].low])
