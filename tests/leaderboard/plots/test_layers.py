"""The figure over layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from figures import (
    HEADS,
    figure_data,
    heatmaps,
    line,
    percent,
)

from nserbench.leaderboard.plots.choose_results import choose
from nserbench.leaderboard.plots.make import (
    FigureData,
    make_figure,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.tables.summary import summary_table


def test_lines_over_layers_are_the_scores_of_the_table(grid: Path) -> None:
    data = figure_data(grid)

    figure = make_figure("layers", data)

    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["whisper-dec", "whisper-enc"]
    conditions = [column.condition for column in data.table.columns]
    for axes in figure.axes:
        for number, condition in enumerate(conditions):
            assert line(axes, number) == {
                layer: percent(
                    data.table,
                    Row(axes.get_title(), f"single:layer={layer}"),
                    condition,
                )
                for layer in (1, 2)
            }


def test_with_one_condition_the_lines_over_layers_are_upstreams(grid: Path) -> None:
    table = choose(summary_table(grid, ["uar"]), noises=["clean"])

    figure = make_figure("layers", FigureData(grid, table, "uar", 3.4))

    (axes,) = figure.axes
    (legend,) = figure.legends
    assert axes.get_title() == "clean"
    assert [t.get_text() for t in legend.get_texts()] == ["whisper-dec", "whisper-enc"]


def test_a_heatmap_of_layers_holds_the_scores_of_the_table(grid: Path) -> None:
    data = figure_data(grid, heatmap=True)

    figure = make_figure("layers", data)

    for axes, values in heatmaps(figure):
        expected = [
            [
                percent(data.table, Row(axes.get_title(), head), column.condition)
                for head in HEADS[1:]
            ]
            for column in data.table.columns
        ]
        np.testing.assert_allclose(values, expected)
