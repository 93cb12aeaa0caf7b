"""Progress of a long job: bars in a terminal or a notebook, lines elsewhere."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from nserbench.quantities import counted, duration, rate

EVERY = 60.0
"""Seconds between two lines of a long stage."""
REDRAW = 0.25
"""Seconds between two drawings of bars in a notebook."""


class LineProgress:
    """Lines for files and pipes: one per stage, per cell, and per minute."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._cells = self._finished = 0
        self._left: float | None = None
        self._unit = ""
        self._total = self._steps = 0
        self._began = self._last_line = clock()

    def stage(self, name: str, total: int, unit: str) -> None:
        """Print the name of the stage that begins."""
        self._unit, self._total, self._steps = unit, total, 0
        self._began = self._last_line = self._clock()
        self._print(f"{name}: {total} {unit.removesuffix('s') if total == 1 else unit}")

    def advance(self, steps: int = 1) -> None:
        """Count steps; print a line each minute and at the end of the stage."""
        self._steps += steps
        now = self._clock()
        seconds = max(now - self._began, 1e-9)
        number, time_unit = rate(self._steps / seconds)
        speed = f"{number} {self._unit} {_PER[time_unit]}"
        if self._steps >= self._total:
            self._print(f"  {duration(seconds)}, {speed}")
        elif now - self._last_line >= EVERY:
            self._last_line = now
            left = duration(seconds * (self._total - self._steps) / self._steps)
            self._print(f"  {self._steps}/{self._total}, {speed}, {left} left")

    def note(self, text: str) -> None:
        """Print the message."""
        self._print(text)

    def cells(self, total: int, done: int) -> None:
        """Print how many cells there are, and how many have a result."""
        self._cells, self._finished = total, done
        self._print(f"{counted(total, 'cell')}, {done} already there")

    def left(self, seconds: float | None) -> None:
        """Keep the time left for the next line of a cell."""
        self._left = seconds

    def cell(self, name: str, outcome: str) -> None:
        """Print the outcome of a cell, and the time that the others will take."""
        self._finished += 1
        known = self._left is not None and self._finished < self._cells
        left = f"; {duration(self._left or 0.0)} left" if known else ""
        self._print(f"[{self._finished}/{self._cells}] {name}: {outcome}{left}")

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class _Rate(ProgressColumn):
    """Steps per second, minute or hour since the beginning."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.elapsed:
            return Text()
        number, time_unit = rate(task.completed / task.elapsed)
        return Text(f"{number} {task.fields['unit']}/{time_unit}")


class _Left(ProgressColumn):
    """Time left: of the cells as reported, of a stage at the average speed so far."""

    def render(self, task: Task) -> Text:
        if "left" in task.fields:
            seconds = task.fields["left"]
            return Text("" if seconds is None else f"{duration(seconds)} left")
        if not task.completed or not task.remaining or not task.elapsed:
            return Text()
        return Text(f"{duration(task.elapsed * task.remaining / task.completed)} left")


class BarProgress:
    """Two bars for a terminal: one for the grid, one for the current stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._grid = bars.add_task(
            "cells", total=None, visible=False, unit="cells", left=None
        )
        self._stage = bars.add_task("", total=None, visible=False, unit="")

    def stage(self, name: str, total: int, unit: str) -> None:
        """Restart the lower bar."""
        self._bars.reset(
            self._stage, total=total, visible=True, description=escape(name), unit=unit
        )

    def advance(self, steps: int = 1) -> None:
        """Advance the lower bar."""
        self._bars.advance(self._stage, steps)

    def note(self, text: str) -> None:
        """Print a message above the bars."""
        self._bars.console.print(Text(text))

    def cells(self, total: int, done: int) -> None:
        """Start the upper bar."""
        if done:
            self.note(f"{counted(total, 'cell')}, {done} already there")
        self._bars.reset(self._grid, total=total - done, visible=total > done)

    def left(self, seconds: float | None) -> None:
        """Show the time left beside the upper bar."""
        self._bars.update(self._grid, left=seconds)

    def cell(self, name: str, outcome: str) -> None:
        """Advance the upper bar, and print the cell above it."""
        self._bars.advance(self._grid)
        self.note(f"{name}: {outcome}")


class NotebookProgress(BarProgress):
    """The two bars as HTML, drawn again in one place; messages as lines below.

    Args:
        bars: The bars, which are not started.
        show: Shows HTML in place of what it showed before.
    """

    def __init__(
        self,
        bars: Progress,
        show: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(bars)
        self._show, self._clock = show, clock
        self._drawn = -REDRAW
        self._out = sys.stdout  # while a plugin runs, it is another one

    def stage(self, name: str, total: int, unit: str) -> None:
        """Restart the lower bar."""
        super().stage(name, total, unit)
        self.draw()

    def advance(self, steps: int = 1) -> None:
        """Advance the lower bar."""
        super().advance(steps)
        if self._clock() - self._drawn >= REDRAW:
            self.draw()

    def note(self, text: str) -> None:
        """Print a message."""
        print(text, file=self._out)

    def cells(self, total: int, done: int) -> None:
        """Start the upper bar."""
        super().cells(total, done)
        self.draw()

    def cell(self, name: str, outcome: str) -> None:
        """Advance the upper bar, and print the cell."""
        super().cell(name, outcome)
        self.draw()

    def draw(self) -> None:
        """Show the bars as they are now."""
        self._drawn = self._clock()
        page = Console(file=io.StringIO(), record=True, width=100, force_jupyter=False)
        page.print(self._bars.get_renderable())
        self._show(page.export_html(inline_styles=True, code_format=_HTML))


@contextmanager
def show_progress(
    console: Console | None = None,
) -> Iterator[LineProgress | BarProgress]:
    """Show progress: bars in a terminal or a notebook, lines elsewhere.

    Args:
        console: Console to print on; standard error if None.
    """
    console = console or Console(stderr=True)
    if console.is_jupyter:
        told = NotebookProgress(_bars(console), _shown_in_place())
        yield told
        told.draw()
    elif console.is_interactive:
        with _bars(console) as bars:
            yield BarProgress(bars)
    else:
        yield LineProgress(console)


def _shown_in_place() -> Callable[[str], object]:
    """Return what shows HTML in one output of the notebook's cell."""
    from IPython.display import HTML, display

    place = display(HTML(""), display_id=True)
    return lambda page: place.update(HTML(page))


def _bars(console: Console) -> Progress:
    columns = (
        # In a narrow terminal only the name is shortened.
        TextColumn(
            "{task.description}",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=12),
        *(column(table_column=Column(no_wrap=True)) for column in _NUMBERS),
    )
    return Progress(*columns, console=console, expand=True, refresh_per_second=4)


_HTML = '<pre style="line-height: 1.3">{code}</pre>'
_PER = {"s": "a second", "min": "a minute", "h": "an hour"}
_NUMBERS = (MofNCompleteColumn, _Rate, _Left)
