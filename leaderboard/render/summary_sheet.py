"""The layout of a summary table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.reading.protocol_use import listed
from nserbench.leaderboard.render.layout import (
    CHANCE_NOTE,
    DELTA,
    FEW,
    FEW_NOTE,
    POOLED,
    POOLED_NOTE,
    SEEN,
    SEEN_NOTE,
    SUSPECT,
    SUSPECT_NOTE,
    TIED_NOTE,
    TITLES,
    TableCell,
    TableLayout,
    brackets_note,
    is_few,
    joined,
    plain,
    two_best,
)
from nserbench.leaderboard.render.numbers import (
    NO_INTERVAL,
    interval,
    mean_rank,
    p_value,
    percent,
    signed_percent,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable
from nserbench.leaderboard.tables.summary_notes import SHORT

NO_DIFFERENCE = "-"
"""Written where a row cannot be compared with the reference."""


def as_layout(table: SummaryTable | TableLayout) -> TableLayout:
    """Return the layout of a summary table; a layout is returned as it is."""
    return table if isinstance(table, TableLayout) else summary_layout(table)


def summary_layout(table: SummaryTable) -> TableLayout:
    """Return the layout of a summary table."""
    titles = [TITLES[metric] for metric in table.metrics]
    pairs = [(title, f"{DELTA}{title}") for title in titles]
    columns = [_column(table, column) for column in table.columns]
    tied = any(cell.tied for cell in chain.from_iterable(chain.from_iterable(columns)))
    ranks = table.ranks.mean if table.ranks else {}
    has_chance = any(entry.chance for entry in table.entries.values())
    pooled = {entry.pooled for entry in table.entries.values() if entry.scores}
    averaging = "all folds together" if pooled == {True} else "mean of folds"
    return TableLayout(
        rows=table.rows,
        headers=[_header(table, column) for column in table.columns],
        titles=list(chain.from_iterable(pairs)) if table.reference else titles,
        cells=[list(cells) for cells in zip(*columns, strict=True)],
        ranks=[_rank(ranks.get(row)) for row in table.rows] if ranks else [],
        caption=f"{joined(titles)}: {averaging}, in percent",
        intervals=list(_interval_notes(table)),
        notes=[*([TIED_NOTE] if tied else []), *_notes(table, titles)],
        chance=[_chance(table, column) for column in table.columns]
        if has_chance
        else [],
    )


def _chance(table: SummaryTable, column: Column) -> list[str]:
    """Return the chance level of a column for each title; differences have none."""
    values = [table.chance(column, metric) for metric in table.metrics]
    texts = ["" if value is None else percent(value) for value in values]
    if not table.reference:
        return texts
    return list(chain.from_iterable((text, "") for text in texts))


def _header(table: SummaryTable, column: Column) -> tuple[str, ...]:
    """Return the header lines, with the marks of few units and of pooled folds."""
    corpus, condition, *rest = table.header(column)
    entries = table.entries_of(column)
    few = FEW if any(map(_is_few, entries)) else ""
    pooled = POOLED if any(entry.pooled for entry in entries) else ""
    return corpus, condition + few + pooled, *rest


def _is_few(entry: SummaryEntry) -> bool:
    return is_few(entry.units, entry.scores.values())


def _rank(rank: Estimate | None) -> TableCell:
    if rank is None:
        return TableCell("")
    return TableCell(mean_rank(rank.value), interval(rank, mean_rank))


def _column(table: SummaryTable, column: Column) -> list[list[TableCell]]:
    """Return the cells of a column, ``[row][title]``."""
    entries = [table.entries.get((row, column)) for row in table.rows]
    lines: list[list[TableCell]] = []
    for metric in table.metrics:
        scores = [entry.scores.get(metric) if entry else None for entry in entries]
        best = two_best([percent(score.value) if score else None for score in scores])
        lines.append([_cell(*cell) for cell in zip(entries, scores, best, strict=True)])
        if table.reference is not None:
            is_reference = [row == table.reference for row in table.rows]
            cells = zip(scores, is_reference, strict=True)
            lines.append([_difference(*cell) for cell in cells])
    return [list(cells) for cells in zip(*lines, strict=True)]


def _cell(
    entry: SummaryEntry | None, score: Score | None, column_rank: int
) -> TableCell:
    if entry is None or score is None:
        return TableCell(SHORT[entry.status] if entry else "")
    return TableCell(
        value=percent(score.value),
        interval=interval(score),
        column_rank=column_rank,
        # The best is bold, so it needs no mark.
        tied=score.tied and column_rank != 1,
        marks=SUSPECT * bool(entry.flags) + SEEN * (entry.seen == "yes"),
    )


def _difference(score: Score | None, is_reference: bool) -> TableCell:
    if score is None or is_reference:
        return TableCell("reference" if score else "")
    if (difference := score.difference) is None:
        return TableCell(NO_DIFFERENCE)
    return TableCell(
        value=signed_percent(difference.value),
        interval=interval(difference, signed_percent),
        word=f"p {p_value(difference.p)}",
    )


def _interval_notes(table: SummaryTable) -> Iterator[str]:
    seeds = [entry.seeds for entry in table.entries.values()]
    yield brackets_note(table.protocols, seeds)
    scores = (
        score for entry in table.entries.values() for score in entry.scores.values()
    )
    if any(score.low is None for score in scores):
        yield f"[{NO_INTERVAL}]: no interval and no test: only one speaker"


def _notes(table: SummaryTable, titles: Sequence[str]) -> Iterator[str]:
    if any(map(_is_few, table.entries.values())):
        yield FEW_NOTE
    if any(entry.pooled for entry in table.entries.values()):
        yield POOLED_NOTE
    if any(entry.chance for entry in table.entries.values()):
        yield CHANCE_NOTE
    if any(entry.flags for entry in table.entries.values()):
        yield SUSPECT_NOTE
    if any(entry.seen == "yes" and entry.scores for entry in table.entries.values()):
        yield SEEN_NOTE
    if table.reference is not None:
        yield from _reference_notes(table, table.reference, titles)
    if table.ranks is not None:
        yield rank_note(table.ranks, titles[0], table.columns)
    yield from (f"protocol {plain(str(protocol))}" for protocol in table.protocols)
    yield from (plain(note) for note in table.notes)


def _reference_notes(
    table: SummaryTable, reference: Row, titles: Sequence[str]
) -> Iterator[str]:
    differences = joined([f"{DELTA}{title}" for title in titles])
    yield (
        f"{differences}: difference from {plain(str(reference))}, in percentage "
        "points; p from a paired bootstrap test, with Holm's correction over the rows"
    )
    others = (entry for (row, _), entry in table.entries.items() if row != reference)
    if any(
        score.difference is None for entry in others for score in entry.scores.values()
    ):
        yield (
            f"{DELTA} {NO_DIFFERENCE}: no comparison, since the row and the reference "
            "were tested on different utterances, or on one speaker only"
        )


def rank_note(ranks: Ranks, title: str, columns: Iterable[Column]) -> str:
    """Say what the ranks are averaged over, and which differences are significant.

    Args:
        title: Title of the metric.
        columns: All columns that are shown; those without ranks are named.
    """
    corpora = "1 corpus" if ranks.corpora == 1 else f"{ranks.corpora} corpora"
    test = (
        f"mean ranks that differ by more than {mean_rank(ranks.critical_difference)} "
        "are significantly different (5 %)"
    )
    if list(ranks.mean) in [list(group) for group in ranks.groups]:
        test = "no two rows differ significantly (5 %)"
    others = [column for column in columns if column not in ranks.columns]
    named = listed(
        f"{column} ({plain(column.protocol)})"
        if column.protocol != ranks.protocol
        else str(column)
        for column in others
    )
    return (
        f"rank: mean rank by {title} over {len(ranks.columns)} columns of {corpora} "
        f"({plain(ranks.protocol)}), 1 is best; {test}"
        + (f"; not ranked: {named}" if others else "")
    )
