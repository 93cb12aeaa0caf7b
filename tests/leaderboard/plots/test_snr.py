"""The figure over the SNR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from figures import (
    SNRS,
    figure_data,
    line,
    percent,
    points_of,
)
from matplotlib.collections import FillBetweenPolyCollection
from values import not_none

from nserbench.leaderboard.plots.make import (
    make_figure,
)
from nserbench.leaderboard.reading.counts import Column


def test_lines_over_the_snr_are_the_scores_of_the_table(grid: Path) -> None:
    data = figure_data(grid)

    (axes,) = make_figure("snr", data).axes

    for number, row in enumerate(data.table.rows):
        assert line(axes, number) == {
            snr: percent(data.table, row, f"park@{snr}") for snr in SNRS
        }


def test_bands_over_the_snr_are_the_intervals_of_the_table(grid: Path) -> None:
    data = figure_data(grid)

    (axes,) = make_figure("snr", data).axes

    bands = [b for b in axes.collections if isinstance(b, FillBetweenPolyCollection)]
    assert len(bands) == len(data.table.rows)
    for row, band in zip(data.table.rows, bands, strict=True):
        corners = set(map(tuple, np.array(band.get_paths()[0].vertices).tolist()))
        for snr in SNRS:
            column = Column("emodb", f"park@{snr}", "probe v1")
            score = data.table.entries[row, column].scores["uar"]
            bounds = 100 * not_none(score.low), 100 * not_none(score.high)
            assert {(snr, bound) for bound in bounds} <= corners


def test_clean_speech_is_beyond_the_highest_snr(grid: Path) -> None:
    data = figure_data(grid)

    (axes,) = make_figure("snr", data).axes

    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    points = [
        points_of(dot)[0, 1]
        for dot in axes.lines
        if len(points_of(dot)) == 1 and str(dot.get_marker()) in "osDv^P"
    ]
    assert ticks == ["-5", "0", "5", "clean"]
    assert points == [percent(data.table, row, "clean") for row in data.table.rows]
