"""The figure of scores over time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from figures import (
    figure_data,
    points_of,
)

from nserbench.leaderboard.plots.make import (
    make_figure,
)
from nserbench.leaderboard.plots.pareto import time_ticks

Add = Callable[..., Path]


def test_rows_on_the_pareto_front_are_named_and_joined(root: Path, add: Add) -> None:
    for head, right, seconds in (
        ("mean", "11110000", 1.0),
        ("last", "11100000", 2.0),
        ("bigru", "11111111", 30.0),
    ):
        times = {"extraction_seconds": seconds, "training_seconds": 0.0}
        add(head=head, right=right, costs=times)

    figure = make_figure("pareto", figure_data(root))

    (axes,), (legend,) = figure.axes, figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    (stairs,) = (line for line in map(points_of, axes.lines) if len(line) == 2)
    assert names == ["mel, bigru", "mel, mean", "beaten by another row"]
    assert stairs.tolist() == [[1.0, 50.0], [30.0, 100.0]]


@pytest.mark.parametrize("factor", [1.69, 2.1, 4, 9, 30, 1e5])
@pytest.mark.parametrize("low", [0.00077, 0.9, 1.1, 2.1, 5.5, 400])
def test_the_axis_of_times_has_three_to_seven_ticks(low: float, factor: float) -> None:
    ticks = time_ticks(low, low * factor)

    assert 3 <= len(ticks) <= 7
    assert low <= min(ticks)
    assert max(ticks) <= low * factor


def test_eleven_panels_are_side_by_side_and_fit_on_a_page(root: Path, add: Add) -> None:
    times = {"extraction_seconds": 2.0, "training_seconds": 0.5}
    for snr in range(11):
        add(condition=f"park@{snr}", costs=times)

    figure = make_figure("pareto", figure_data(root))

    assert len(figure.axes) == 11
    assert figure.get_figheight() < 10
    assert all(len(axes.get_xticks()) >= 3 for axes in figure.axes)
