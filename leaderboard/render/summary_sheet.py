"""What a summary table shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from nserbench.leaderboard.analysis.ranks import Rank, Ranks
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.render.layout import (
    CHANCE_NOTE,
    DELTA,
    FEW,
    FEW_NOTE,
    NO_DIFFERENCE,
    NO_INTERVAL,
    POOLED,
    POOLED_NOTE,
    SUSPECT_NOTE,
    TIED_NOTE,
    TITLES,
    TableCell,
    TableLayout,
    bounds,
    brackets_note,
    is_few,
    joined,
    percent,
    places,
    plain,
    probability,
    signed,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable
from nserbench.leaderboard.tables.summary_notes import SHORT


def as_layout(table: SummaryTable | TableLayout) -> TableLayout:
    """Say what is shown of a table, unless that is what it is."""
    return table if isinstance(table, TableLayout) else summary_layout(table)


def summary_layout(table: SummaryTable) -> TableLayout:
    """Say what is shown of a summary table."""
    titles = [TITLES[metric] for metric in table.metrics]
    deltas = [(title, f"{DELTA}{title}") for title in titles]
    shown = [_column(table, column) for column in table.columns]
    tied = any(cell.tied for cell in chain.from_iterable(chain.from_iterable(shown)))
    mean = table.ranks.mean if table.ranks else {}
    known = any(entry.chance for entry in table.entries.values())
    return TableLayout(
        rows=table.rows,
        headers=[_header(table, column) for column in table.columns],
        titles=[one for pair in deltas for one in pair] if table.reference else titles,
        cells=[list(cells) for cells in zip(*shown, strict=True)],
        ranks=[_rank(mean.get(row)) for row in table.rows] if mean else [],
        caption=f"{joined(titles)}: {_how(table)}, percent",
        intervals=list(_interval_notes(table)),
        notes=[*([TIED_NOTE] if tied else []), *_notes(table, titles)],
        chance=[_chance(table, column) for column in table.columns] if known else [],
    )


def _how(table: SummaryTable) -> str:
    """Say what the numbers are; pooled ones are marked besides."""
    pooled = {entry.pooled for entry in table.entries.values() if entry.scores}
    return "all folds together" if pooled == {True} else "mean of folds"


def _chance(table: SummaryTable, column: Column) -> list[str]:
    """Return the last cell of a column, a line for each title."""
    found = [table.chance(column, metric) for metric in table.metrics]
    shown = ["" if one is None else percent(one) for one in found]
    return [
        one for text in shown for one in ([text, ""] if table.reference else [text])
    ]


def _header(table: SummaryTable, column: Column) -> tuple[str, ...]:
    """Give the lines above a column, with the marks of few units and pooled folds."""
    corpus, condition, *rest = table.header(column)
    found = table.entries_of(column)
    few = FEW if any(map(_is_few, found)) else ""
    pooled = POOLED if any(entry.pooled for entry in found) else ""
    return corpus, condition + few + pooled, *rest


def _is_few(entry: SummaryEntry) -> bool:
    return is_few(entry.units, [score.low for score in entry.scores.values()])


def _rank(rank: Rank | None) -> TableCell:
    if rank is None:
        return TableCell("")
    return TableCell(place_of(rank.value), bounds(rank.low, rank.high, place_of))


def place_of(rank: float) -> str:
    """Write a mean rank.

    Examples:
        >>> place_of(1.25)
        '1.2'
    """
    return f"{rank:.1f}"


def _column(table: SummaryTable, column: Column) -> list[list[TableCell]]:
    """Give the cells of a column, ``[row][line]``."""
    entries = [table.entries.get((row, column)) for row in table.rows]
    lines: list[list[TableCell]] = []
    for metric in table.metrics:
        scores = [one.scores.get(metric) if one else None for one in entries]
        ranked = places([percent(one.value) if one else None for one in scores])
        lines.append([_cell(*one) for one in zip(entries, scores, ranked, strict=True)])
        if table.reference is not None:
            own = [row == table.reference for row in table.rows]
            lines.append([_delta(*one) for one in zip(own, scores, strict=True)])
    return [list(cells) for cells in zip(*lines, strict=True)]


def _cell(entry: SummaryEntry | None, score: Score | None, place: int) -> TableCell:
    if entry is None or score is None:
        return TableCell(SHORT[entry.status] if entry else "")
    return TableCell(
        value=percent(score.value),
        interval=bounds(score.low, score.high),
        column_rank=place,
        # The best is bold, which says as much.
        tied=score.tied and place != 1,
        suspect=bool(entry.flags),
    )


def _delta(own: bool, score: Score | None) -> TableCell:
    """Give the difference of a score from the reference row, which may be its own."""
    if score is None or own:
        return TableCell("reference" if score else "")
    if (found := score.difference) is None:
        return TableCell(NO_DIFFERENCE)
    return TableCell(
        value=signed(found.value),
        interval=bounds(found.low, found.high, signed),
        word=f"p {probability(found.p)}",
    )


def _interval_notes(table: SummaryTable) -> Iterator[str]:
    seeds = [entry.seeds for entry in table.entries.values()]
    yield brackets_note(table.protocols, seeds)
    if any(score.low is None for score in _scores(table)):
        yield f"[{NO_INTERVAL}]: one speaker, so no interval"


def _scores(table: SummaryTable) -> Iterator[Score]:
    for entry in table.entries.values():
        yield from entry.scores.values()


def _notes(table: SummaryTable, titles: Sequence[str]) -> Iterator[str]:
    if any(map(_is_few, table.entries.values())):
        yield FEW_NOTE
    if any(entry.pooled for entry in table.entries.values()):
        yield POOLED_NOTE
    if any(entry.chance for entry in table.entries.values()):
        yield CHANCE_NOTE
    if any(entry.flags for entry in table.entries.values()):
        yield SUSPECT_NOTE
    if table.reference is not None:
        yield from _reference_notes(table, table.reference, titles)
    if table.ranks is not None:
        yield rank_note(table.ranks, titles[0])
    yield from (f"protocol {plain(protocol)}" for protocol in table.protocols)
    yield from (plain(note) for note in table.notes)


def _reference_notes(
    table: SummaryTable, reference: Row, titles: Sequence[str]
) -> Iterator[str]:
    deltas = joined([f"{DELTA}{title}" for title in titles])
    yield (
        f"{deltas}: minus {plain(str(reference))}, in points; "
        "p by paired bootstrap, Holm over the rows"
    )
    others = (one for (row, _), one in table.entries.items() if row != reference)
    if any(
        score.difference is None for entry in others for score in entry.scores.values()
    ):
        yield (
            f"{DELTA} {NO_DIFFERENCE}: not tested on the same utterances as the "
            "reference, or on one speaker only"
        )


def rank_note(ranks: Ranks, title: str) -> str:
    """Say over what ranks are the mean, and how far apart they differ."""
    corpora = "1 corpus" if ranks.corpora == 1 else f"{ranks.corpora} corpora"
    rows = list(ranks.mean)
    told = f"more than {ranks.critical_difference:.1f} apart is significant (5 %)"
    if rows in [list(group) for group in ranks.groups]:
        told = "none differ significantly (5 %)"
    return (
        f"rank: mean by {title} over {ranks.columns} columns, {corpora} "
        f"({plain(ranks.protocol)}), 1 is best; {told}"
    )
