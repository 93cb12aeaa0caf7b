"""The figure of layer weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import (
    figure_data,
    heatmaps,
)
from matplotlib.collections import QuadMesh
from values import note

from nserbench.leaderboard.plots.make import (
    make_figure,
)

Add = Callable[..., Path]


def test_weights_are_squares_by_layer_and_condition(grid: Path) -> None:
    data = figure_data(grid)
    expected = {
        (result.upstream, result.condition): note(result, "layer_weights")["1"]
        for result in data.results
        if result.notes
    }

    figure = make_figure("weights", data)

    for axes, values in heatmaps(figure):
        upstream = axes.get_title()
        conditions = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
        for condition, row in zip(conditions, values, strict=True):
            weights = expected[upstream, condition]["encoder"]
            np.testing.assert_allclose(row, [weights["1"], weights["2"]])


def test_negative_weights_have_the_middle_of_the_scale_at_0(
    root: Path, add: Add
) -> None:
    add(notes={"layer_weights": {"1": {"encoder": {"1": -0.1, "2": 0.4}}}})

    figure = make_figure("weights", figure_data(root))

    (mesh,) = (
        mesh for mesh in figure.axes[0].collections if isinstance(mesh, QuadMesh)
    )
    assert mesh.get_clim() == (-0.4, 0.4)


def test_colours_start_at_0_so_that_almost_equal_weights_look_equal(
    root: Path, add: Add
) -> None:
    add(notes={"layer_weights": {"1": {"encoder": {"1": 0.3325, "2": 0.334}}}})

    figure = make_figure("weights", figure_data(root))

    (mesh,) = (
        mesh for mesh in figure.axes[0].collections if isinstance(mesh, QuadMesh)
    )
    assert mesh.get_clim() == (0, 0.334)
