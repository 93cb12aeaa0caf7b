"""The figure of confusion matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from figures import (
    figure_data,
    heatmaps,
)

from nserbench.benchmark.results.read_results import read_results
from nserbench.leaderboard.plots.make import (
    make_figure,
)

Add = Callable[..., Path]


def test_confusions_are_shares_of_the_true_class(root: Path, add: Add) -> None:
    add(right="11111110")  # the last is neutral, and taken for anger
    add(right="01010101", condition="park@0")

    figure = make_figure("confusion", figure_data(root))

    (_, clean), (_, park) = heatmaps(figure)
    np.testing.assert_allclose(clean, [[100, 0], [25, 75]])
    np.testing.assert_allclose(park, [[0, 100], [0, 100]])
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["100", "0", "25", "75"]


def test_a_class_without_an_utterance_has_no_share(root: Path, add: Add) -> None:
    predictions = read_results(add().parent)[0].predictions
    assert predictions is not None
    classes = ("anger", "fear", "neutral")
    probabilities = np.insert(predictions.probabilities, 1, 0, axis=1)
    changed = replace(
        predictions,
        classes=classes,
        labels=2 * predictions.labels,
        predicted=2 * predictions.predicted,
        probabilities=probabilities,
    )
    add(head="last", predictions=changed, classes=classes)

    figure = make_figure("confusion", figure_data(root))

    (_, first), _ = heatmaps(figure)
    assert np.ma.getmaskarray(first).tolist() == [[False] * 3, [True] * 3, [False] * 3]
