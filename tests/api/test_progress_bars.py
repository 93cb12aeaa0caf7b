import io
import re
from typing import cast
from unittest.mock import Mock

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from nserbench.api.progress_bars import (
    BarProgress,
    LineProgress,
    NotebookProgress,
    show_progress,
)


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=60)


def told(console: Console) -> list[str]:
    file = cast("io.StringIO", console.file)
    return file.getvalue().splitlines()


def test_a_file_gets_a_line_for_each_stage_and_each_cell(
    console: Console, clock: Clock
) -> None:
    plain = LineProgress(console, clock)

    plain.cells(3, 1)
    plain.stage("mel on demo clean", 4, "clips")
    clock.now = 2.0
    plain.advance(4)
    plain.left(2.0)
    plain.cell("mel x mean", "done")
    clock.now = 3.0
    plain.cell("mel x [bold]", "done")

    assert told(console) == [
        "3 cells, 1 already there",
        "mel on demo clean: 4 clips",
        "  2 s, 2 clips a second",
        "[2/3] mel x mean: done; 2 s left",
        "[3/3] mel x [bold]: done",
    ]


def test_a_long_stage_prints_its_progress_once_a_minute(
    console: Console, clock: Clock
) -> None:
    plain = LineProgress(console, clock)

    plain.stage("whisper on emodb clean", 339, "clips")
    for _ in range(339):
        clock.now += 0.5
        plain.advance()

    assert told(console) == [
        "whisper on emodb clean: 339 clips",
        "  120/339, 2 clips a second, 2 min left",
        "  240/339, 2 clips a second, 50 s left",
        "  3 min, 2 clips a second",
    ]


@pytest.mark.parametrize(
    ("seconds", "speed"), [(20, "3 tasks a minute"), (274, "13.1 tasks an hour")]
)
def test_a_slow_stage_says_its_steps_per_minute_or_hour(
    console: Console, clock: Clock, seconds: int, speed: str
) -> None:
    plain = LineProgress(console, clock)

    plain.stage("features and folds, by workers", 4, "tasks")
    clock.now = seconds
    plain.advance(1)
    clock.now = 4 * seconds
    plain.advance(3)

    assert told(console)[-1].endswith(f", {speed}")


def test_a_stage_ends_with_its_last_step(console: Console, clock: Clock) -> None:
    plain = LineProgress(console, clock)

    plain.stage("reading audio", 2, "clips")
    clock.now = 1.0
    plain.advance(2)
    clock.now = 9.0
    plain.note("timing mel")

    assert told(console) == [
        "reading audio: 2 clips",
        "  1 s, 2 clips a second",
        "timing mel",
    ]


@pytest.fixture
def terminal(clock: Clock) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        force_interactive=True,
        color_system=None,
        width=80,
        get_time=clock,
        _environ={"TERM": "xterm"},
    )


def drawn(live: BarProgress) -> list[str]:
    """Return the current lines of the bars."""
    bars = live._bars
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(bars.get_renderable())
    return told(console)


def test_a_terminal_gets_bars_with_cells_stage_rate_and_time_left(
    terminal: Console, clock: Clock
) -> None:
    with show_progress(terminal) as live:
        assert isinstance(live, BarProgress)
        live.cells(5, 1)
        live.stage("whisper on demo clean", 40, "clips")
        clock.now = 10.0
        live.advance(20)
        live.left(30.0)
        live.cell("mel x mean", "done")
        lines = drawn(live)

    bare = [" ".join(re.sub("━.*━", "BAR", line).split()) for line in lines]
    assert bare == [
        "cells BAR 1/4 6 cells/min 30 s left",
        "whisper on demo clean BAR 20/40 2 clips/s 10 s left",
    ]


def test_a_long_name_is_shortened_and_the_numbers_are_not(
    terminal: Console, clock: Clock
) -> None:
    with show_progress(terminal) as live:
        assert isinstance(live, BarProgress)
        live.stage("whisper x ladapter x manifest:path=a-long-name " * 2, 5, "folds")
        clock.now = 100.0
        live.advance(2)
        (line,) = drawn(live)

    assert len(line) <= 80
    assert line.startswith("whisper x ladapter")
    assert line.rstrip().endswith("2/5 1.2 folds/min 2 min left")


def test_a_terminal_prints_every_cell_above_the_bars(terminal: Console) -> None:
    with show_progress(terminal) as live:
        live.cells(2, 1)
        live.cell("mel x [bold]mean", "done")

    written = Text.from_ansi(cast("io.StringIO", terminal.file).getvalue()).plain
    assert "2 cells, 1 already there" in written
    assert "mel x [bold]mean: done" in written


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_redraw_gets_lines(term: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": term})

    with show_progress(console) as progress:
        assert isinstance(progress, LineProgress)


def test_a_notebook_shows_bars_in_one_place_and_messages_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = pytest.importorskip("IPython.display", reason="IPython is not installed")
    pages: list[str] = []
    place = Mock(update=lambda page: pages.append(page.data))
    monkeypatch.setattr(module, "display", Mock(return_value=place))

    with show_progress(Console(force_jupyter=True)) as progress:
        progress.cells(2, 0)
        progress.stage("mel <b>", 8, "clips")
        progress.advance(8)
        progress.cell("mel x mean", "done")

    assert capsys.readouterr().out == "mel x mean: done\n"
    last = re.sub("<[^>]*>", "", pages[-1]).splitlines()
    assert [line.split()[0] for line in last] == ["cells", "mel"]
    assert "1/2" in last[0]
    assert "&lt;b&gt;" in last[1]
    assert "8/8" in last[1]


def test_a_fast_stage_does_not_draw_the_bars_at_each_step(clock: Clock) -> None:
    pages: list[str] = []
    progress = NotebookProgress(Progress(), pages.append, clock)
    progress.stage("mel", 9, "clips")

    progress.advance()
    clock.now = 0.3
    progress.advance()

    assert len(pages) == 2


def test_one_step_has_its_unit_in_the_singular(console: Console) -> None:
    plain = LineProgress(console, Clock())

    plain.stage("reading audio", 1, "clips")
    plain.stage("downloading", 1, "MB")

    assert told(console) == ["reading audio: 1 clip", "downloading: 1 MB"]
