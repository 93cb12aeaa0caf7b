"""How a long command shows what it is doing."""

from __future__ import annotations

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

from nserbench.cli.common.text import counted, duration, rate

EVERY = 60.0
"""Seconds between the lines of a long stage."""


class Plain:
    """Lines for files and pipes: a stage's end, a cell's end, and one a minute."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._cells = self._over = self._done_before = 0
        self._name, self._unit = "", ""
        self._total = self._steps = 0
        self._began = self._told = self._grid_began = clock()

    def stage(self, name: str, total: int, unit: str) -> None:
        """Announce the stage that begins."""
        self._name, self._unit = name, unit
        self._total, self._steps = total, 0
        self._began = self._told = self._clock()
        self._say(f"{name}: {total} {unit}")

    def advance(self, steps: int = 1) -> None:
        """Count; tell how far it is now and then, and when the stage ends."""
        self._steps += steps
        now = self._clock()
        seconds = max(now - self._began, 1e-9)
        speed = f"{rate(self._steps / seconds)} {self._unit} a second"
        if self._steps >= self._total:
            self._say(f"  {seconds:.1f} s, {speed}")
        elif now - self._told >= EVERY:
            self._told = now
            left = seconds * (self._total - self._steps) / self._steps
            self._say(f"  {self._steps}/{self._total}, {speed}, {duration(left)} left")

    def note(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def cells(self, total: int, done: int) -> None:
        """Say how much there is to do."""
        self._cells, self._over, self._done_before = total, done, done
        self._grid_began = self._clock()
        self._say(f"{counted(total, 'cell')}, {done} there already")

    def cell(self, name: str, outcome: str) -> None:
        """Say how a cell ended, and how long the others will take."""
        self._over += 1
        here = self._over - self._done_before
        seconds = self._clock() - self._grid_began
        rest = self._cells - self._over
        left = f"; {duration(seconds * rest / here)} left" if rest else ""
        self._say(f"[{self._over}/{self._cells}] {name}: {outcome}{left}")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class _Rate(ProgressColumn):
    """Steps a second since the beginning."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.elapsed:
            return Text()
        return Text(f"{rate(task.completed / task.elapsed)} {task.fields['unit']}/s")


class _Left(ProgressColumn):
    """Time left, if the rest goes as fast as what is done."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.remaining or not task.elapsed:
            return Text()
        return Text(f"{duration(task.elapsed * task.remaining / task.completed)} left")


class Live:
    """Two bars that redraw: the grid, and the stage that runs; for a terminal."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._grid = bars.add_task("cells", total=None, visible=False, unit="cells")
        self._stage = bars.add_task("", total=None, visible=False, unit="")

    def stage(self, name: str, total: int, unit: str) -> None:
        """Start the lower bar anew."""
        self._bars.reset(
            self._stage, total=total, visible=True, description=escape(name), unit=unit
        )

    def advance(self, steps: int = 1) -> None:
        """Move the lower bar."""
        self._bars.advance(self._stage, steps)

    def note(self, text: str) -> None:
        """Print above the bars."""
        self._bars.console.print(Text(text))

    def cells(self, total: int, done: int) -> None:
        """Set the upper bar."""
        if done:
            self.note(f"{counted(total, 'cell')}, {done} there already")
        self._bars.reset(self._grid, total=total - done, visible=total > done)

    def cell(self, name: str, outcome: str) -> None:
        """Move the upper bar, and print the cell above it."""
        self._bars.advance(self._grid)
        self.note(f"{name}: {outcome}")


@contextmanager
def showing(console: Console | None = None) -> Iterator[Plain | Live]:
    """Show progress: bars in a terminal, lines elsewhere.

    Args:
        console: Where to; standard error if None.
    """
    console = console or Console(stderr=True)
    if not console.is_interactive:
        yield Plain(console)
        return
    columns = (
        # Only the name gives way in a narrow terminal.
        TextColumn(
            "{task.description}",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=12),
        *(each(table_column=Column(no_wrap=True)) for each in _NUMBERS),
    )
    with Progress(*columns, console=console, expand=True, refresh_per_second=4) as bars:
        yield Live(bars)


_NUMBERS = (MofNCompleteColumn, _Rate, _Left)
