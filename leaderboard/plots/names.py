"""Names of lines and titles of panels: only the parts that differ.

A panel shows one corpus and one protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nserbench.leaderboard.reading.counts import Column, condition_order
from nserbench.leaderboard.tables.summary import selection_warnings


def distinct_names(
    names: Sequence[Sequence[str]], always: Collection[int] = (0,)
) -> list[str]:
    """Shorten names to the parts in which they differ.

    Args:
        names: The parts of each name, the same number for each.
        always: Indices of the parts that are kept even if they do not differ.

    Examples:
        >>> distinct_names(
        ...     [("mel", "mean", "demo"), ("mel", "last", "demo")], always=()
        ... )
        ['mean', 'last']
    """
    differ = [len(set(parts)) > 1 for parts in zip(*names, strict=True)]
    kept = [at for at, differs in enumerate(differ) if differs or at in always]
    return [", ".join(name[at] for at in kept if name[at]) for name in names]


def column_order(column: Column) -> tuple[object, ...]:
    """Return a key that sorts by corpus, protocol and condition."""
    return column.corpus, column.protocol, condition_order(column.condition)


def panel_titles(
    columns: Sequence[Column], rows: Sequence[Sequence[str]] = (), *, always: str = ""
) -> list[str]:
    """Title panels by what they differ in.

    A protocol whose scores are too optimistic always has its warning in the title.

    Args:
        columns: The corpus, condition and protocol of each panel.
        rows: More parts of each title, which come first; the first is always there.
        always: Which of ``corpus`` and ``condition`` are always in the title,
            separated by a space.
    """
    if not columns:
        return []
    parts = list(rows) or [()] * len(columns)
    names = [
        (
            *part,
            column.corpus,
            column.condition,
            column.protocol,
            ", ".join(selection_warnings(column.protocol)),
        )
        for part, column in zip(parts, columns, strict=True)
    ]
    before = len(names[0]) - len(_COLUMN_PARTS)
    kept = {before + _COLUMN_PARTS.index(name) for name in [*always.split(), "warning"]}
    return distinct_names(names, always=kept | ({0} if before else set()))


_COLUMN_PARTS = ("corpus", "condition", "protocol", "warning")
