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
    SEEN,
    TableCell,
    TableLayout,
    plain,
)
from nserbench.leaderboard.render.summary_sheet import as_layout
from nserbench.leaderboard.tables.summary import SummaryTable

WIDE = 60
"""Number of characters above which a table is small and spans both page columns."""

_NAMES = 2  # columns before the numbers: upstream and downstream

ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{char: f"\\{char}" for char in "{}$&#_%"},
    # At the start of a row, LaTeX reads these as an argument of the line break before.
    "[": "{[}",
    "*": "{*}",
    DELTA: r"$\Delta$",
    FEW: r"$\dagger$",
    POOLED: r"$\ddagger$",
    SEEN: r"\S{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{ALMOST EQUAL TO}": r"$\approx$",
    "\N{BLACK STAR}": r"$\star$",
    "\N{DOUBLE LOW-9 QUOTATION MARK}": ",,",
    "\N{REPLACEMENT CHARACTER}": "?",
}
"""What is written for characters that LaTeX takes as commands, or pdfLaTeX lacks."""

PACKAGES = r"% needs \usepackage{booktabs,graphicx}"
OTHER_SCRIPTS = "% has letters for which XeLaTeX or LuaLaTeX, and a font, are needed"
"""The first lines: the second only where a text has a letter of `BEYOND_PDFLATEX`."""
BEYOND_PDFLATEX = r"[^\u0000-\u024f\u2010-\u2026\u20ac\u2122\u2190-\u2193]"
"""Characters that pdfLaTeX does not know, as a regular expression of Python and JS."""

FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Begins a box that is made smaller where it is wider than the page or column."""


def to_latex(table: SummaryTable | TableLayout, *, intervals: bool = False) -> str:
    """Write a table in LaTeX, with the packages booktabs and graphicx.

    The best number of each column is bold and the second is underlined. A table that is
    wider than the page is made smaller. Names in other scripts than Latin need XeLaTeX
    or LuaLaTeX, which the first lines then say.

    Args:
        intervals: Whether each number is followed by its interval, in small type.
    """
    layout = as_layout(table)
    caption = "; ".join([layout.caption, *(layout.intervals[:1] if intervals else [])])
    notes = [*(layout.intervals[1:] if intervals else []), *layout.notes]
    wide = _width(layout, intervals) > WIDE
    kind = "table*" if wide else "table"
    lines = [
        rf"\begin{{{kind}}}",
        r"\centering",
        *([r"\small\setlength{\tabcolsep}{4pt}"] if wide else []),
        rf"\caption{{{escaped(caption)}. Best in bold, second underlined.}}",
        *_tabular(layout, intervals),
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
        *(rf"{escaped(note)}\par" for note in notes),
        r"\end{minipage}",
        rf"\end{{{kind}}}",
    ]
    beyond = any(re.search(BEYOND_PDFLATEX, line) for line in lines)
    first = [PACKAGES, *([OTHER_SCRIPTS] if beyond else [])]
    return "\n".join([*first, *lines]) + "\n"


def escaped(text: str) -> str:
    r"""Escape the characters that LaTeX would take as commands.

    Examples:
        >>> print(escaped("100 % of _x_"))
        100 \% of \_x\_
    """
    marked = "".join(ESCAPES.get(char, char) for char in plain(text))
    return marked.replace("--", "-{}-")  # no dash


def _width(layout: TableLayout, intervals: bool) -> int:
    """Return the characters of the longest row, with a space between columns."""
    widths = []
    for row, columns in zip(layout.rows, layout.cells, strict=True):
        cells = chain.from_iterable(columns)
        texts = ((cell.value, cell.word, cell.interval * intervals) for cell in cells)
        widths.append(
            sum(len(text) + 1 for cell in texts for text in cell if text)
            + len(f"{row.upstream} {row.downstream}")
        )
    return max(widths)


def _tabular(layout: TableLayout, intervals: bool) -> Iterator[str]:
    numbers = len(layout.headers) * len(layout.titles) + bool(layout.ranks)
    yield FITTED
    yield rf"\begin{{tabular}}{{ll{'r' * numbers}}}"
    yield r"\toprule"
    yield from _header_lines(layout)
    yield r"\midrule"
    yield from _rows(layout, intervals)
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _header_lines(layout: TableLayout) -> Iterator[str]:
    """Return the header lines of the table, each but the last with rules below it."""
    width = len(layout.titles)
    corpora = groupby(layout.headers, key=itemgetter(0))
    lines = [
        [(corpus, width * len(list(headers))) for corpus, headers in corpora],
        [(" ".join(header[1:]), width) for header in layout.headers],
        [(title, 1) for _ in layout.headers for title in layout.titles],
    ]
    if width == 1:
        del lines[-1]  # the caption names the only metric
    rank = [""] if layout.ranks else []
    for line in lines[:-1]:
        yield _line(["", "", *starmap(_heading, line), *rank])
        yield _rules([span for _, span in line])
    rank = ["rank"] if layout.ranks else []
    yield _line(["upstream", "head", *starmap(_heading, lines[-1]), *rank])


def _heading(text: str, span: int) -> str:
    return rf"\multicolumn{{{span}}}{{c}}{{{_signed(text)}}}"


def _rules(spans: Sequence[int]) -> str:
    ends = pairwise(accumulate(spans, initial=_NAMES))
    return " ".join(rf"\cmidrule(lr){{{before + 1}-{end}}}" for before, end in ends)


def _rows(layout: TableLayout, intervals: bool) -> Iterator[str]:
    for index, row in enumerate(layout.rows):
        cells = chain.from_iterable(layout.cells[index])
        numbers = (_number(cell, intervals) for cell in cells)
        ranks = (_number(rank, intervals) for rank in layout.ranks[index : index + 1])
        yield _line([escaped(row.upstream), escaped(row.downstream), *numbers, *ranks])
    if layout.chance:
        chance = chain.from_iterable(layout.chance)
        yield r"\midrule"
        yield _line([CHANCE, "", *chance, *[""][: len(layout.ranks)]])


def _number(cell: TableCell, intervals: bool) -> str:
    text = _signed(cell.value + cell.marks)
    if command := {1: "textbf", 2: "underline"}.get(cell.column_rank):
        text = rf"\{command}{{{text}}}"
    interval = f"[{cell.interval}]" if intervals and cell.interval else ""
    small = filter(None, (interval, cell.word))
    text += "".join(rf"~{{\scriptsize {_signed(part)}}}" for part in small)
    # The mark has no width, so that the digits of a column are aligned.
    return text + r"\rlap{$^{=}$}" * cell.tied


def _signed(text: str) -> str:
    """Write the signs of numbers in math mode, so that a minus is not a hyphen."""
    return re.sub(r"(?<!\w)[+-](?=\d)", r"$\g<0>$", escaped(text))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
