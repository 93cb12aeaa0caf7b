"""Tables of scores in the paper's layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from nserbench.benchmark.experiments.layout import EVERY_LAYER, ReportItem, ReportRow
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.render.layout import (
    FEW,
    POOLED,
    SEEN,
    SUSPECT,
    TITLES,
    is_few,
)
from nserbench.leaderboard.render.numbers import interval, percent
from nserbench.leaderboard.report.source import CorpusCondition, ReportData
from nserbench.leaderboard.tables.summary import SummaryEntry
from nserbench.leaderboard.tables.summary_notes import SHORT

NOT_ASKED = "\N{EN DASH}"
LAYERS = range(1, 13)
"""The layers of the paper's models, as Figs. 3 and 4 number them."""

LAYER_METRIC = "f1_macro"
"""The metric that chooses the best layer, as in the paper (Sec. V-B, Table IV)."""


@dataclass(frozen=True, slots=True)
class ReportCell:
    """One cell of a table.

    Attributes:
        value: The number that is compared within its column, a fraction of 1; None if
            the cell is not compared.
    """

    text: str
    value: float | None = None


SectionRow: TypeAlias = tuple[Sequence[str], Sequence[ReportCell]]
"""The names of a row, and its cells."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table ready to be printed.

    Attributes:
        names: Headings of the columns that name rows.
        by_metric: Whether the last name of each row is a metric.
    """

    title: str
    names: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[SectionRow]
    notes: Sequence[str] = ()
    by_metric: bool = False


@dataclass(slots=True)
class ReportNotes:
    """The reasons for cells without a score, each listed once with all its cells.

    Attributes:
        reasons: For each mark and reason, the rows, and their corpora and conditions.
    """

    reasons: dict[tuple[str, str], dict[str, dict[str, None]]] = field(
        default_factory=dict
    )

    def add(self, mark: str, reason: str, row: str = "", column: str = "") -> str:
        """Keep the reason for a cell without a score, and return its mark.

        The row is empty where the reason holds for all rows, and the column where it
        holds for the whole row.
        """
        rows = self.reasons.setdefault((mark, reason), {})
        rows.setdefault(row, {})[column] = None
        return mark

    def lines(self) -> Iterator[str]:
        """Yield a line for each mark and reason."""
        for (mark, reason), rows in self.reasons.items():
            cells = [
                _name_cells(row, [*filter(None, columns)])
                for row, columns in rows.items()
            ]
            reason_line = " ".join(reason.split())
            yield ": ".join(filter(None, (mark, "; ".join(cells), reason_line)))


def _name_cells(row: str, columns: Sequence[str]) -> str:
    return f"{row} ({', '.join(columns)})" if columns else row


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of a table or figure of the paper, filled with our scores.

    Its notes collect why cells have no score.
    """

    data: ReportData
    item: ReportItem
    row: ReportRow
    notes: ReportNotes = field(default_factory=ReportNotes)

    def scores(
        self, metric: str, conditions: Sequence[CorpusCondition]
    ) -> list[ReportCell]:
        """Return a cell for each condition, with the paper's number beside ours."""
        printed = self.data.printed(self.item, str(self.row))
        return [
            with_paper(self.score(condition, metric), printed.get((*condition, metric)))
            for condition in conditions
        ]

    def score(self, condition: CorpusCondition, metric: str) -> ReportCell:
        """Return our score in a condition, or a mark whose reason is noted."""
        column = self.data.columns(self.row).get(condition)
        if self.row.downstream == EVERY_LAYER and column is not None:
            return self._best_layer(column, metric)
        return self._score_of(self.data.result_rows[self.row], column, metric)

    def _best_layer(self, column: Column, metric: str) -> ReportCell:
        """Return the score of the layer with the highest F1 on the test set."""
        table = self.data.table
        chooses = LAYER_METRIC if LAYER_METRIC in table.metrics else metric
        done = [
            (entry.scores[chooses].value, layer, entry)
            for layer, result_row in self.data.layers(self.row)
            if layer > 0  # the paper numbers layers from 1
            and (entry := table.entries.get((result_row, column)))
            and entry.scores
        ]
        if not done:
            return self._score_of(self.data.result_rows[self.row], column, metric)
        _, layer, entry = max(done, key=lambda candidate: candidate[:2])
        reason = (
            f"the layer with the highest {TITLES[chooses]} on the test set, and how "
            "many layers were compared; a score chosen this way is too optimistic"
        )
        self.notes.add("L", reason, str(self.row))
        return ReportCell(f"{_score_text(entry, metric)} L{layer} of {len(done)}")

    def _score_of(
        self, result_row: Row | None, column: Column | None, metric: str
    ) -> ReportCell:
        """Return the score of a result, or a mark whose reason is noted."""
        if column is None:
            return ReportCell(self.notes.add(NOT_ASKED, "not part of the experiment"))
        entry = (
            self.data.table.entries.get((result_row, column)) if result_row else None
        )
        if entry is not None and entry.scores:
            return ReportCell(_score_text(entry, metric), entry.scores[metric].value)
        problem = self.data.problem(self.row, column)
        if entry is not None and result_row is not None:
            mark = SHORT[entry.status]
            left_out = "newer results differ in what a name stands for; see the notes"
            reason = self.data.reasons.get((result_row, column), left_out)
        elif problem is not None:
            mark = "n/a" if problem.impossible else "missing"
            reason = problem.reason
        else:
            return ReportCell(self.notes.add("not run", "there is no result yet"))
        return ReportCell(self.notes.add(mark, reason, str(self.row), str(column)))

    def layer_rows(
        self, metric: str, conditions: Sequence[CorpusCondition]
    ) -> Iterator[SectionRow]:
        """Yield a row for each layer that the paper has, or that has a result."""
        done = dict(self.data.layers(self.row))
        existing = self.data.existing_layers(self.row)
        columns = self.data.columns(self.row)
        for layer in sorted({*done, *LAYERS}):
            if existing is None or layer in existing or layer in done:
                printed = self.data.printed(self.item, f"{self.row} L{layer}")
                cells = [
                    with_paper(
                        self._score_of(done.get(layer), columns.get(condition), metric),
                        printed.get((*condition, metric)),
                    )
                    for condition in conditions
                ]
            else:
                mark = self.notes.add("n/a", "the model has no such layer", f"L{layer}")
                cells = [ReportCell(mark) for _ in conditions]
            yield (f"L{layer}",), cells

    def printed_peaks(
        self, metric: str, conditions: Sequence[CorpusCondition]
    ) -> Iterator[str]:
        """Yield the paper's best layer in each condition, and the paper's remarks."""
        labels = {f"{self.row} L{layer}": layer for layer in LAYERS}
        printed = {
            layer: self.data.printed(self.item, label)
            for label, layer in labels.items()
        }
        peaks = []
        for condition in conditions:
            values = {
                layer: float(numbers[*condition, metric])
                for layer, numbers in printed.items()
                if (*condition, metric) in numbers
            }
            if values:
                best = max(values, key=lambda layer: values[layer])
                peaks.append(f"{heading(self.data, self.item, condition)} L{best}")
        if peaks:
            yield f"the paper's best layers, according to its text: {', '.join(peaks)}"
            tables = self.data.printed_tables(self.item)
            rows = [row for table in tables for row in table.rows]
            remarks = [row.note for row in rows if row.label in labels and row.note]
            yield from (f"the paper: {remark}" for remark in dict.fromkeys(remarks))


def score_sections(data: ReportData, item: ReportItem) -> Iterator[Section]:
    """Lay out the scores of each row in each corpus and condition."""
    for title, conditions in _tables(data, item):
        notes = ReportNotes()
        views = [RowView(data, item, row, notes) for row in item.rows]
        rows = [
            (
                (view.row.group, view.row.title, TITLES[metric]),
                view.scores(metric, conditions),
            )
            for view in views
            for metric in item.metrics
        ]
        heads = [heading(data, item, condition) for condition in conditions]
        names = ("method", "feature", "")
        lines = [*data.remarks(item.rows), *notes.lines()]
        yield Section(title, names, heads, rows, lines, by_metric=True)


def layer_sections(data: ReportData, item: ReportItem) -> Iterator[Section]:
    """Lay out the scores of each layer in each corpus and condition."""
    conditions = all_conditions(data, item)
    heads = [heading(data, item, condition) for condition in conditions]
    (metric,) = item.metrics
    for row in item.rows:
        view = RowView(data, item, row)
        rows = list(view.layer_rows(metric, conditions))
        title = f"{item.name}, {row}: {item.caption}"
        notes = [*view.notes.lines(), *view.printed_peaks(metric, conditions)]
        yield Section(title, ("layer",), heads, rows, notes)


def all_conditions(data: ReportData, item: ReportItem) -> list[CorpusCondition]:
    """Return all corpora and conditions that any row of a table is asked for in."""
    return list(dict.fromkeys(key for row in item.rows for key in data.columns(row)))


def heading(data: ReportData, item: ReportItem, condition: CorpusCondition) -> str:
    """Return the paper's heading of a condition, or ours if the paper has none."""
    for table in data.printed_tables(item):
        for column in table.columns:
            if condition in map(tuple, column.ours):
                return column.label
    return " ".join(condition)


def _tables(
    data: ReportData, item: ReportItem
) -> Iterator[tuple[str, list[CorpusCondition]]]:
    """Yield title and conditions of one table, or of one for each corpus and noise."""
    conditions = all_conditions(data, item)
    if not item.by_noise:
        yield f"{item.name}: {item.caption}", conditions
        return
    noises: dict[tuple[str, str], list[CorpusCondition]] = {}
    for corpus, condition in conditions:
        noise = condition.partition("@")[0]
        noises.setdefault((corpus, noise), []).append((corpus, condition))
    for (corpus, noise), in_noise in noises.items():
        printed = [
            table.name
            for table in data.printed_tables(item)
            for column in table.columns
            if in_noise[0] in map(tuple, column.ours)
        ]
        name = printed[0] if printed else f"{item.name}, {corpus} {noise}"
        yield f"{name}: {item.caption}", in_noise


def with_paper(cell: ReportCell, printed: str | None) -> ReportCell:
    """Add the paper's number to a cell, in parentheses; nothing if it is None."""
    if printed is None:
        return cell
    return ReportCell(f"{cell.text} ({printed})", cell.value)


def _score_text(entry: SummaryEntry, metric: str) -> str:
    score = entry.scores[metric]
    marks = FEW * has_few_units(entry, metric)
    marks += POOLED * entry.pooled + SUSPECT * bool(entry.flags)
    marks += SEEN * (entry.seen == "yes")
    return f"{percent(score.value)} [{interval(score)}]{marks}"


def has_few_units(entry: SummaryEntry, metric: str) -> bool:
    """Return whether an interval rests on few speakers or other units."""
    return is_few(entry.units, [entry.scores[metric]])
