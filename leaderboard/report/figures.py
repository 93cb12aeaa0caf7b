"""The paper's figures as tables: confusions, and word errors beside scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from nserbench.benchmark.experiments.layout import ReportItem, ReportRow
from nserbench.errors import NserbenchError
from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.report.source import CorpusCondition, ReportData
from nserbench.leaderboard.report.tables import (
    NOT_ASKED,
    ReportCell,
    ReportNotes,
    RowView,
    Section,
    SectionRow,
    all_conditions,
    with_paper,
)
from nserbench.leaderboard.tables.series import (
    Confusion,
    WerPoint,
    confusions,
    coverage_lines,
    wer_points,
)


def confusion_sections(data: ReportData, item: ReportItem) -> Iterator[Section]:
    """Lay out a confusion matrix by SNR for each row, corpus and noise."""
    by_noise: dict[tuple[str, str], list[CorpusCondition]] = {}
    for corpus, condition in all_conditions(data, item):
        noise = condition.partition("@")[0]
        by_noise.setdefault((corpus, noise), []).append((corpus, condition))
    for row in item.rows:
        matrices = {matrix.column: matrix for matrix in confusions(data.results(row))}
        columns = data.columns(row)
        for (corpus, noise), conditions in by_noise.items():
            title = f"{item.name}, {row}, {corpus} {noise}: {item.caption}"
            counted = {key: matrices.get(columns[key]) for key in conditions}
            yield _confusion_section(RowView(data, item, row), title, counted)


def _confusion_section(
    view: RowView, title: str, matrices: dict[CorpusCondition, Confusion | None]
) -> Section:
    rows: list[SectionRow] = []
    done = [matrix for matrix in matrices.values() if matrix is not None]
    classes = done[0].classes if done else ("",)
    for condition, matrix in matrices.items():
        if matrix is None:
            cell = view.score(condition, view.item.metrics[0])
            rows.append(((condition[1], ""), [cell for _ in classes]))
        else:
            rows += _shares(condition[1], matrix)
    heads = [f"predicted {name}" if name else "" for name in classes]
    names = ("condition", "true class")
    return Section(title, names, heads, rows, list(view.notes.lines()))


def _shares(condition: str, matrix: Confusion) -> Iterator[SectionRow]:
    """Yield the predictions for each class in percent of its utterances."""
    for name, counts in zip(matrix.classes, matrix.matrix.tolist(), strict=True):
        total = sum(counts)
        shares = [
            f"{100 * count / total:.1f}" if total else NOT_ASKED for count in counts
        ]
        yield (condition, name), [ReportCell(text) for text in shares]


def word_error_sections(data: ReportData, item: ReportItem) -> Iterator[Section]:
    """Lay out word error rates beside a score, by upstream and condition."""
    (metric,) = item.metrics
    notes = ReportNotes()
    rows: list[SectionRow] = []
    all_points: list[WerPoint] = []
    paper_lines: list[str] = []
    for row in item.rows:
        points = wer_points(
            data.table_of(item), data.results(row), metric, data.against
        )
        by_column = {point.column: point for point in points}
        all_points += points
        rates, scores = _printed_rates(data, row), data.printed_anywhere(row)
        view = RowView(data, item, row, notes)
        for condition, column in data.columns(row).items():
            score = view.score(condition, metric)
            rate = _rate_cell(view, by_column.get(column), score, column)
            cells = [
                with_paper(rate, rates.get(condition)),
                with_paper(ReportCell(score.text), scores.get((*condition, metric))),
            ]
            rows.append(((row.title, " ".join(condition)), cells))
        if rates.keys() & data.columns(row).keys():
            paper_lines = _paper_lines(data)
    title = f"{item.name}: {item.caption}"
    lines = [
        *notes.lines(),
        *coverage_lines(all_points),
        *_correlation_lines(all_points),
        *paper_lines,
    ]
    names, heads = ("model", "condition"), ("error rate, %", "F1")
    yield Section(title, names, heads, rows, lines)


def _printed_rates(data: ReportData, row: ReportRow) -> dict[CorpusCondition, str]:
    """Return the paper's word error rates for a row, in percent to the same digit."""
    words = data.printed_words
    if words is None:
        return {}
    return {
        (ours.corpus, ours.condition): f"{Decimal(rate).scaleb(2):f}"
        for printed_row in words.rows
        if printed_row.label == str(row)
        for column, (rate,) in zip(words.columns, printed_row.values, strict=True)
        if rate is not None
        for ours in column.ours
    }


def _paper_lines(data: ReportData) -> list[str]:
    words = data.printed_words
    if words is None:
        return []
    return [
        f"the paper: Pearson's r = {words.r}, p {words.p}, over {words.over}",
        "the paper prints error rates as fractions; in parentheses they are in percent",
        *(f"the paper: {line}" for line in words.said),
        *(f"the paper: {row.note} ({row.label})" for row in words.rows if row.note),
    ]


def _correlation_lines(points: Sequence[WerPoint]) -> list[str]:
    """Return the correlation of error rates and scores, as below the figure."""
    # Imported here, since it imports matplotlib.
    from nserbench.leaderboard.plots.wer import correlation_lines

    try:
        return correlation_lines(points)
    except NserbenchError as error:
        return [" ".join(str(error).split())]


def _rate_cell(
    view: RowView, point: WerPoint | None, score: ReportCell, column: Column
) -> ReportCell:
    if point is not None:
        return ReportCell(f"{100 * point.rate:.1f} {point.measure}")
    if score.value is None:
        return ReportCell(score.text)
    reason = "no transcripts, or no reference texts to compare them with"
    return ReportCell(view.notes.add(NOT_ASKED, reason, str(view.row), str(column)))
