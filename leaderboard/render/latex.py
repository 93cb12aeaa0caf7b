"""Tables in LaTeX, ready to paste into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, groupby, pairwise, starmap
from operator import itemgetter

from nserbench.leaderboard.render.layout import (
    CHANCE,
    DELTA,
    FEW,
    POOLED,
    SUSPECT,
    TableCell,
    TableLayout,
    plain,
)
from nserbench.leaderboard.render.summary_sheet import as_layout
from nserbench.leaderboard.tables.summary import SummaryTable

WIDE = 60
"""Characters beyond which a table is set small and spans both columns of a page."""

_NAMES = 2  # columns before those of numbers

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{one: f"\\{one}" for one in "{}$&#_%"},
    # At the start of a row these would be an argument of the line's end before it.
    "[": "{[}",
    "*": "{*}",
    DELTA: r"$\Delta$",
    FEW: r"$\dagger$",
    POOLED: r"$\ddagger$",
    "\N{REPLACEMENT CHARACTER}": "?",
}


def to_latex(table: SummaryTable | TableLayout, *, intervals: bool = False) -> str:
    """Give a table for LaTeX with the package booktabs.

    The best of each column is bold, the second underlined, as shown. Names in other
    scripts than Latin need XeLaTeX or LuaLaTeX.

    Args:
        table: What to show.
        intervals: Whether each number has its interval behind it, in small.
    """
    sheet = as_layout(table)
    caption = "; ".join([sheet.caption, *(sheet.intervals[:1] if intervals else [])])
    notes = [*(sheet.intervals[1:] if intervals else []), *sheet.notes]
    wide = _width(sheet, intervals) > WIDE
    kind = "table*" if wide else "table"
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{{kind}}}",
        r"\centering",
        *([r"\small\setlength{\tabcolsep}{4pt}"] if wide else []),
        rf"\caption{{{escaped(caption)}. Best in bold, second underlined.}}",
        *_tabular(sheet, intervals),
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
        *(rf"{escaped(note)}\par" for note in notes),
        r"\end{minipage}",
        rf"\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Write a text so that LaTeX reads no command into it.

    Examples:
        >>> print(escaped("100 % of _x_"))
        100 \% of \_x\_
    """
    marked = "".join(_ESCAPES.get(one, one) for one in plain(text))
    return marked.replace("--", "-{}-")  # no dash


def _width(sheet: TableLayout, intervals: bool) -> int:
    """Count the characters of the longest row, with a space between columns."""
    widths = []
    for row, places in zip(sheet.rows, sheet.cells, strict=True):
        cells = chain.from_iterable(places)
        shown = ((one.value, one.word, one.interval * intervals) for one in cells)
        widths.append(
            sum(len(text) + 1 for cell in shown for text in cell if text)
            + len(f"{row.upstream} {row.downstream}")
        )
    return max(widths)


def _tabular(sheet: TableLayout, intervals: bool) -> Iterator[str]:
    numbers = len(sheet.headers) * len(sheet.titles) + bool(sheet.ranks)
    yield rf"\begin{{tabular}}{{ll{'r' * numbers}}}"
    yield r"\toprule"
    yield from _heads(sheet)
    yield r"\midrule"
    yield from _rows(sheet, intervals)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _heads(sheet: TableLayout) -> Iterator[str]:
    """Give the lines above the columns, each but the last with rules below it."""
    width = len(sheet.titles)
    corpora = groupby(sheet.headers, key=itemgetter(0))
    levels = [
        [(corpus, width * len(list(heads))) for corpus, heads in corpora],
        [(" ".join(head[1:]), width) for head in sheet.headers],
        [(title, 1) for _ in sheet.headers for title in sheet.titles],
    ]
    if width == 1:
        del levels[-1]  # the caption names it
    rank = [""] if sheet.ranks else []
    for level in levels[:-1]:
        yield _line(["", "", *starmap(_head, level), *rank])
        yield _rules([span for _, span in level])
    rank = ["rank"] if sheet.ranks else []
    yield _line(["upstream", "downstream", *starmap(_head, levels[-1]), *rank])


def _head(text: str, span: int) -> str:
    return rf"\multicolumn{{{span}}}{{c}}{{{_signed(text)}}}"


def _rules(spans: Sequence[int]) -> str:
    ends = pairwise(accumulate(spans, initial=_NAMES))
    return " ".join(rf"\cmidrule(lr){{{before + 1}-{end}}}" for before, end in ends)


def _rows(sheet: TableLayout, intervals: bool) -> Iterator[str]:
    for number, row in enumerate(sheet.rows):
        cells = chain.from_iterable(sheet.cells[number])
        numbers = (_number(cell, intervals) for cell in cells)
        ranks = (_number(rank, intervals) for rank in sheet.ranks[number : number + 1])
        yield _line([escaped(row.upstream), escaped(row.downstream), *numbers, *ranks])
    if sheet.chance:
        levels = chain.from_iterable(sheet.chance)
        yield r"\midrule"
        yield _line([CHANCE, "", *levels, *[""][: len(sheet.ranks)]])


def _number(cell: TableCell, intervals: bool) -> str:
    text = _signed(cell.value) + SUSPECT * cell.suspect
    if command := {1: "textbf", 2: "underline"}.get(cell.column_rank):
        text = rf"\{command}{{{text}}}"
    interval = f"[{cell.interval}]" if intervals and cell.interval else ""
    small = filter(None, (interval, cell.word))
    text += "".join(rf"~{{\scriptsize {_signed(one)}}}" for one in small)
    # Without a width, so that the digits of a column stay below each other.
    return text + r"\rlap{$^{=}$}" * cell.tied


def _signed(text: str) -> str:
    """Give the numbers of a text the minus of mathematics."""
    return re.sub(r"(?<!\w)[+-](?=\d)", r"$\g<0>$", escaped(text))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
