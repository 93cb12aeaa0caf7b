"""What the paper draws, as tables: confusions by level, and words against emotions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from nserbench.benchmark.experiments.layout import ReportItem, ReportRow
from nserbench.errors import NserbenchError
from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.report.source import Place, ReportData
from nserbench.leaderboard.report.tables import (
    NOT_ASKED,
    ReportCell,
    ReportNotes,
    Section,
    all_places,
    beside,
    shown_score,
)
from nserbench.leaderboard.tables.series import (
    Confusion,
    WerPoint,
    confusions,
    wer_points,
)


def confusion_sections(source: ReportData, part: ReportItem) -> Iterator[Section]:
    """Lay out, for each row, corpus and noise, what each class was taken for."""
    places = all_places(source, part)
    noises = dict.fromkeys((corpus, _noise(condition)) for corpus, condition in places)
    for line in part.rows:
        found = {one.column: one for one in confusions(source.results(line))}
        for corpus, noise in noises:
            own = [at for at in places if (at[0], _noise(at[1])) == (corpus, noise)]
            title = f"{part.name}, {line}, {corpus} {noise}: {part.caption}"
            counted = [found.get(source.places(line)[at]) for at in own]
            yield _confusions(source, part, line, title, own, counted)


def _noise(condition: str) -> str:
    return condition.partition("@")[0]


def _confusions(
    source: ReportData,
    part: ReportItem,
    line: ReportRow,
    title: str,
    places: Sequence[Place],
    counted: Sequence[Confusion | None],
) -> Section:
    notes = ReportNotes()
    rows: list[tuple[Sequence[str], Sequence[ReportCell]]] = []
    classes = next((one.classes for one in counted if one is not None), ("",))
    for at, one in zip(places, counted, strict=True):
        if one is None:
            mark = shown_score(source, line, at, part.metrics[0], notes)
            rows.append(((at[1], ""), [mark for _ in classes]))
        else:
            rows += _shares(at[1], one)
    heads = [f"as {name}" if name else "" for name in classes]
    return Section(title, ("condition", "true"), heads, rows, list(notes.lines()))


def _shares(
    condition: str, found: Confusion
) -> Iterator[tuple[Sequence[str], Sequence[ReportCell]]]:
    """Give each class's answers in percent; a class without utterances has none."""
    for name, counts in zip(found.classes, found.matrix.tolist(), strict=True):
        total = sum(counts)
        shares = [f"{100 * one / total:.1f}" if total else NOT_ASKED for one in counts]
        yield (condition, name), [ReportCell(text) for text in shares]


def word_sections(source: ReportData, part: ReportItem) -> Iterator[Section]:
    """Lay out errors in words beside a score, a row for each point."""
    (metric,) = part.metrics
    notes = ReportNotes()
    rows: list[tuple[Sequence[str], Sequence[ReportCell]]] = []
    every: list[WerPoint] = []
    told: list[str] = []
    for line in part.rows:
        points = wer_points(
            source.part(part), source.results(line), metric, source.against
        )
        found = {one.column: one for one in points}
        every += points
        rates, scores = _printed_rates(source, line), source.printed_anywhere(line)
        for at, column in source.places(line).items():
            score = shown_score(source, line, at, metric, notes)
            words = _words(found.get(column), score, line, column, notes)
            both = [
                beside(words, rates.get(at)),
                beside(ReportCell(score.text), scores.get((*at, metric))),
            ]
            rows.append(((line.title, " ".join(at)), both))
        if rates.keys() & source.places(line).keys():
            told = _said_in_print(source)
    names, heads = ("model", "where"), ("errors", "F1")
    title = f"{part.name}: {part.caption}"
    lines = [*notes.lines(), *_together(every), *told]
    yield Section(title, names, heads, rows, lines)


def _printed_rates(source: ReportData, line: ReportRow) -> dict[Place, str]:
    """Return the paper's word error rates for a row, in percent to the same digit."""
    words = source.printed_words
    if words is None:
        return {}
    return {
        (place.corpus, place.condition): f"{Decimal(rate).scaleb(2):f}"
        for row in words.rows
        if row.label == str(line)
        for column, (rate,) in zip(words.columns, row.values, strict=True)
        if rate is not None
        for place in column.ours
    }


def _said_in_print(source: ReportData) -> list[str]:
    """Say what the paper says of its rates and scores together."""
    words = source.printed_words
    if words is None:
        return []
    correlated = f"Pearson's r = {words.r}, p {words.p}, over {words.over}"
    return [
        f"the paper: {correlated}",
        "the paper prints error rates as fractions; in parentheses they are percent",
        *(f"the paper: {line}" for line in words.said),
        *(f"the paper: {row.note} ({row.label})" for row in words.rows if row.note),
    ]


def _together(points: Sequence[WerPoint]) -> list[str]:
    """Say how words and emotions go together, as the figure does."""
    from nserbench.leaderboard.plots.wer import explained  # which takes matplotlib

    try:
        return list(explained(points))
    except NserbenchError as error:
        return [" ".join(str(error).split())]


def _words(
    found: WerPoint | None,
    score: ReportCell,
    line: ReportRow,
    column: Column,
    notes: ReportNotes,
) -> ReportCell:
    if found is not None:
        return ReportCell(f"{100 * found.rate:.1f} {found.measure}")
    if score.value is None:
        return ReportCell(score.text)
    why = "what was said is not known, so that no errors can be counted"
    return ReportCell(notes.add(NOT_ASKED, why, str(line), str(column)))
