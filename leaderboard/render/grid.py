"""Tables of texts, printed in a terminal or written in GitHub Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from nserbench.leaderboard.render.layout import plain

BEST = "★"
"""Mark of what is bold where nothing can be bold, as in a file."""
METRIC = "metric"
"""Heading of the metrics in Markdown; a terminal shows none above them."""


class GridText(NamedTuple):
    """A line of a cell; ``markdown`` is its Markdown, if it is not to be escaped."""

    text: str
    bold: bool = False
    markdown: str | None = None


class GridRow(NamedTuple):
    """A row of one or more lines.

    ``cells[column][line]`` are its texts; a cell of one line stands for all lines.
    """

    names: Sequence[str]
    titles: Sequence[str]
    cells: Sequence[Sequence[GridText]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts.

    Attributes:
        names: Headings of the columns that name rows; the last is that of the titles.
        widths: Largest widths of these columns in a terminal, in characters.
        heads: The header lines of each other column.
        last: A row below a line; None if there is none.
        together: In a terminal, names are blank if they and all names before them are
            those of the row above, and they are this many or more; 0 to repeat names.
        pad_edge: Whether a blank follows the last column in a terminal.
    """

    names: Sequence[str]
    widths: Sequence[int | None]
    heads: Sequence[Sequence[str]]
    rows: Sequence[GridRow]
    last: GridRow | None = None
    together: int = 0
    pad_edge: bool = True

    def print(self, console: Console) -> None:
        """Print a table, in several parts if it is wider than the console.

        On a console without styles, such as a file, bold texts have the mark `BEST`.
        """
        if console.color_system is None and (marked := self._marked()) != self:
            marked.print(console)
            console.print(f"{BEST}: the best of its column")
            return
        unlimited = console.options.update(max_width=10_000)
        part: list[int] = []
        for column in range(len(self.heads)):
            wider = _part(self, [*part, column])
            needed = Measurement.get(console, unlimited, wider).maximum
            if part and needed > console.width:
                console.print(_part(self, part), "")
                part = []
            part.append(column)
        console.print(_part(self, part), "")

    def _marked(self) -> Grid:
        """Return the table with a mark behind each bold text in place of bold."""
        rows = [row._replace(cells=_marked(row.cells)) for row in self.rows]
        return replace(self, rows=rows)

    def markdown(self) -> Iterator[str]:
        """Yield the lines of a table in Markdown, one for each line of a row."""
        headings = [*self.names, *map(" ".join, self.heads)]
        yield _markdown_row(map(escaped, headings))
        yield _markdown_row(["---"] * len(self.names) + ["---:"] * len(self.heads))
        for row in [*self.rows, *([self.last] if self.last else [])]:
            for line, title in enumerate(row.titles):
                cells = (_markdown(cell[line % len(cell)]) for cell in row.cells)
                yield _markdown_row([*map(escaped, (*row.names, title)), *cells])

    def html(self) -> Iterator[str]:
        """Yield the lines of a table in HTML, one row for each line of a row."""
        yield "<table><thead>"
        yield _html_row("th", map(html_text, [*self.names, *map(" ".join, self.heads)]))
        yield "</thead><tbody>"
        for row in [*self.rows, *([self.last] if self.last else [])]:
            for line, title in enumerate(row.titles):
                cells = (_html(cell[line % len(cell)]) for cell in row.cells)
                yield _html_row("td", [*map(html_text, (*row.names, title)), *cells])
        yield "</tbody></table>"


def _marked(cells: Sequence[Sequence[GridText]]) -> list[list[GridText]]:
    return [
        [GridText(line.text + BEST) if line.bold else line for line in cell]
        for cell in cells
    ]


def _part(grid: Grid, columns: Sequence[int]) -> Table:
    """Return some columns of a table for the terminal."""
    part = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    part.pad_edge = grid.pad_edge
    for name, width in zip(grid.names, grid.widths, strict=True):
        heading = "" if name == METRIC else name
        part.add_column(heading, overflow="fold", max_width=width)
    for column in columns:
        part.add_column(Text("\n".join(map(plain, grid.heads[column]))), no_wrap=True)
    above: Sequence[str] = ()
    for row in grid.rows:
        _add_row(part, row, _blank_repeated(row.names, above, grid.together), columns)
        above = row.names
    last = grid.last
    if last and any(line.text for column in columns for line in last.cells[column]):
        part.add_section()
        _add_row(part, last, last.names, columns)
    return part


def _add_row(
    part: Table, row: GridRow, names: Iterable[str], columns: Iterable[int]
) -> None:
    titles = Text("\n".join(row.titles))
    texts = (
        Text("\n").join(
            Text(text, "bold" * bold) for text, bold, _ in row.cells[column]
        )
        for column in columns
    )
    part.add_row(*(Text(plain(name)) for name in names), titles, *texts)


def _blank_repeated(
    names: Sequence[str], above: Sequence[str], together: int
) -> Sequence[str]:
    same = 0
    while same < len(names) and names[: same + 1] == above[: same + 1]:
        same += 1
    blank = same if together and same >= together else 0
    return [*[""] * blank, *names[blank:]]


def _markdown(line: GridText) -> str:
    text = escaped(line.text) if line.markdown is None else line.markdown
    return f"**{text}**" if line.bold else text


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _html(line: GridText) -> str:
    text = html_text(line.text)
    return f"<b>{text}</b>" if line.bold else text


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def html_text(text: str) -> str:
    """Escape the characters that HTML would take as markup."""
    return html.escape(plain(text))


def escaped(text: str) -> str:
    """Escape the characters that Markdown or HTML would take as markup."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain(text))
    return re.sub("[&<>]", lambda match: entities[match[0]], marked)
