"""The report of an experiment: the paper's tables and figures with our numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nserbench.benchmark.results.suspect_flags import MEANINGS
from nserbench.leaderboard.render.layout import (
    FEW_NOTE,
    POOLED_NOTE,
    SEEN_NOTE,
    SUSPECT_NOTE,
)
from nserbench.leaderboard.report.figures import confusion_sections, word_error_sections
from nserbench.leaderboard.report.source import ReportData
from nserbench.leaderboard.report.tables import (
    Section,
    has_few_units,
    layer_sections,
    score_sections,
)

SECTIONS = {
    "table": score_sections,
    "layers": layer_sections,
    "confusions": confusion_sections,
    "understood": word_error_sections,
}
"""The function that lays out each kind of report item."""


@dataclass(frozen=True, slots=True)
class PaperReport:
    """An experiment ready to be printed: its tables, and notes on all of them."""

    title: str
    description: str
    sections: Sequence[Section]
    notes: Sequence[str]


def make_report(data: ReportData) -> PaperReport:
    """Lay out the results of an experiment, and mark what has no result.

    Raises:
        BadResult: if a result cannot be read.
        UnknownName: if a corpus, protocol or upstream is not known.
    """
    experiment = data.experiment
    sections = [
        section
        for item in experiment.parts
        for section in SECTIONS[item.kind](data, item)
    ]
    title = f"Experiment {experiment.number}: {experiment.grid.title}"
    return PaperReport(title, experiment.grid.description, sections, list(_notes(data)))


def _notes(data: ReportData) -> Iterator[str]:
    entries = data.table.entries.values()
    yield (
        "scores are means over folds, in percent; in brackets: 95 % intervals from a "
        "bootstrap over speakers, or over the unit that the protocol names; in "
        "parentheses: the paper's numbers; bold: the best score of each column"
    )
    if any(has_few_units(entry, name) for entry in entries for name in entry.scores):
        yield FEW_NOTE
    if any(entry.pooled for entry in entries):
        yield POOLED_NOTE
    if any(entry.seen == "yes" for entry in entries):
        yield SEEN_NOTE
    if any(entry.flags for entry in entries):
        yield SUSPECT_NOTE
        flags = {flag for entry in entries for flag in entry.flags}
        yield from (f"{flag}: {MEANINGS[flag]}" for flag in MEANINGS if flag in flags)
    yield from _protocols(data)
    yield from _replaced_upstreams(data)


def _replaced_upstreams(data: ReportData) -> Iterator[str]:
    labels = {}
    for row in data.experiment.lines():
        result_row = data.result_rows[row]
        if result_row is not None and data.typed(row).upstream != row.upstream:
            labels[row.upstream] = result_row.upstream
    for name, label in labels.items():
        yield f"in place of {name}: {label}"


def _protocols(data: ReportData) -> Iterator[str]:
    """Yield how the rows were trained, without rows and corpora of other studies."""
    for name in dict.fromkeys(column.protocol for column in data.table.columns):
        uses = [
            replace(use, cells=cells)
            for use in data.table.protocols
            if use.name == name and use.settings.by_name
            if (cells := [one for one in use.cells if one in data.table.entries])
        ]
        yield from (f"protocol {replace(use, alone=len(uses) == 1)}" for use in uses)
