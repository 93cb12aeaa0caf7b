"""The report of an experiment: the paper's tables and figures with our numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nserbench.benchmark.results.flags import MEANINGS
from nserbench.leaderboard.render.layout import FEW_NOTE, POOLED_NOTE, SUSPECT_NOTE
from nserbench.leaderboard.report.figures import confusion_sections, word_sections
from nserbench.leaderboard.report.source import ReportData
from nserbench.leaderboard.report.tables import (
    Section,
    layer_sections,
    marked,
    score_sections,
)

SECTIONS = {
    "table": score_sections,
    "layers": layer_sections,
    "confusions": confusion_sections,
    "understood": word_sections,
}


@dataclass(frozen=True, slots=True)
class PaperReport:
    """What an experiment found, ready to be shown.

    Attributes:
        title: Of the experiment.
        description: What it is about.
        sections: Its tables, in the paper's order.
        notes: What a reader must know besides.
    """

    title: str
    description: str
    sections: Sequence[Section]
    notes: Sequence[str]


def make_report(source: ReportData) -> PaperReport:
    """Lay out what is there of an experiment, and mark what is not.

    Raises:
        BadResult: if a result cannot be read.
        UnknownName: if a corpus, protocol or upstream is not known.
    """
    experiment = source.experiment
    sections = [
        section
        for part in experiment.parts
        for section in SECTIONS[part.kind](source, part)
    ]
    title = f"Experiment {experiment.number}: {experiment.grid.title}"
    return PaperReport(
        title, experiment.grid.description, sections, list(_notes(source))
    )


def _notes(source: ReportData) -> Iterator[str]:
    entries = source.table.entries.values()
    yield (
        "mean of folds, percent; in brackets 95 %, bootstrap over speakers, or the "
        "unit that a protocol names; in parentheses what the paper prints; the best of "
        "each column in bold"
    )
    if any(marked(one, name) for one in entries for name in one.scores):
        yield FEW_NOTE
    if any(entry.pooled for entry in entries):
        yield POOLED_NOTE
    if any(entry.flags for entry in entries):
        yield SUSPECT_NOTE
        found = {flag for entry in entries for flag in entry.flags}
        yield from (f"{one}: {MEANINGS[one]}" for one in MEANINGS if one in found)
    yield from _protocols(source)
    yield from _swapped(source)


def _swapped(source: ReportData) -> Iterator[str]:
    """Say which upstreams stand in for those of the paper."""
    found = {}
    for line in source.experiment.lines():
        row = source.row(line)
        if row is not None and source.typed(line).upstream != line.upstream:
            found[line.upstream] = row.upstream
    for name, label in found.items():
        yield f"{name} is {label} here"


def _protocols(source: ReportData) -> Iterator[str]:
    """Say how the rows were trained, without the rows and corpora of other studies."""
    rows = [str(row) for row in source.table.rows]
    corpora = {column.corpus for column in source.table.columns}
    for name in dict.fromkeys(column.protocol for column in source.table.columns):
        for said in source.table.protocols:
            before, on, after = said.partition(": ")
            if not before.startswith(f"{name} on "):
                continue
            where, _, listed = before.removeprefix(f"{name} on ").partition(" (")
            own = [one for one in where.split(", ") if one in corpora]
            alone = [one for one in rows if one in listed.removesuffix(")").split(", ")]
            if own and (alone or not listed):
                who = f" ({', '.join(alone)})" if alone not in ([], rows) else ""
                yield f"protocol {name} on {', '.join(own)}{who}{on}{after}"
