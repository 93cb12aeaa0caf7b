"""How lines and panels are called: by what tells them apart.

A panel holds one corpus under one protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nserbench.leaderboard.reading.counts import Column, condition_order
from nserbench.leaderboard.tables.summary import selection_warnings


def told_apart(
    named: Sequence[Sequence[str]], always: Collection[int] = (0,)
) -> list[str]:
    """Name things by the parts of their names in which they differ.

    Args:
        named: The parts of each name, as many for each.
        always: Places of the parts that are said even if they do not differ.

    Examples:
        >>> told_apart([("mel", "mean", "demo"), ("mel", "last", "demo")], always=())
        ['mean', 'last']
    """
    differ = [len(set(parts)) > 1 for parts in zip(*named, strict=True)]
    said = [place for place, one in enumerate(differ) if one or place in always]
    return [", ".join(name[place] for place in said if name[place]) for name in named]


def column_order(column: Column) -> tuple[object, ...]:
    """Return a key that sorts by corpus, protocol and condition."""
    return column.corpus, column.protocol, condition_order(column.condition)


def panel_titles(
    columns: Sequence[Column], rows: Sequence[Sequence[str]] = (), *, always: str = ""
) -> list[str]:
    """Name panels by what tells them apart; a choice that flatters is always named.

    Args:
        columns: The corpus, condition and protocol of each panel.
        rows: More parts of each name, which stand before; the first is always said.
        always: Which of ``corpus`` and ``condition`` are always said, with a space.
    """
    if not columns:
        return []
    parts = list(rows) or [()] * len(columns)
    named = [
        (
            *part,
            one.corpus,
            one.condition,
            one.protocol,
            ", ".join(selection_warnings(one.protocol)),
        )
        for part, one in zip(parts, columns, strict=True)
    ]
    before = len(named[0]) - len(_PLACES)
    said = {before + _PLACES.index(name) for name in [*always.split(), "flattering"]}
    return told_apart(named, always=said | ({0} if before else set()))


_PLACES = ("corpus", "condition", "protocol", "flattering")
