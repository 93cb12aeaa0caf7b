"""The figure of mean ranks."""

from __future__ import annotations

from pathlib import Path

from figures import figure_data, points_of

from nserbench.leaderboard.plots.choose_results import choose
from nserbench.leaderboard.plots.make import caption_lines, make_figure
from nserbench.leaderboard.tables.summary import summary_table


def test_ranks_are_points_and_groups_are_bars(grid: Path) -> None:
    data = figure_data(grid)
    ranks = summary_table(grid, ["uar"]).ranks
    assert ranks

    figure = make_figure("ranks", data)

    (axes,) = figure.axes
    names = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
    assert names == [f"{row.upstream}, {row.downstream}" for row in ranks.mean]
    means = [points_of(line)[0, 0] for line in axes.lines if line.get_marker() == "o"]
    assert means == [rank.value for rank in ranks.mean.values()]
    bars = [line for line in axes.lines if line.get_linewidth() == 2]
    rows = list(ranks.mean)
    ends = [(rows.index(group[0]), rows.index(group[-1])) for group in ranks.groups]
    assert [tuple(points_of(bar)[:, 1].round()) for bar in bars] == ends


def test_only_the_chosen_rows_and_columns_are_ranked(grid: Path) -> None:
    data = figure_data(grid)
    table = choose(data.table, heads=["mean"], noises=["park"])
    chosen = type(data)(grid, table, "uar", 3.4)

    figure = make_figure("ranks", chosen)

    assert len(figure.axes[0].get_yticklabels()) == 2
    lines = caption_lines("ranks", chosen)
    assert "rank: mean rank by UAR over 3 columns of 1 corpus" in lines[-1]
