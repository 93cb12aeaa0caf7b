"""The figure of scores over time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from figures import (
    figure_data,
    points_of,
)

from nserbench.leaderboard.plots.make import (
    make_figure,
)

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
