"""The figure of scores over word error rates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figures import (
    RECOGNITION,
    figure_data,
    points_of,
    title_of,
)
from scipy import stats

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.make import (
    caption_lines,
    make_figure,
)
from nserbench.leaderboard.tables.series import wer_points

Add = Callable[..., Path]


def test_error_rates_and_scores_are_points_with_r_above_them(grid: Path) -> None:
    data = figure_data(grid)
    points = wer_points(data.table, data.results, "uar")
    x, y = (
        [100 * point.rate for point in points],
        [100 * point.score.value for point in points],
    )

    (axes,) = make_figure("wer", data).axes

    drawn = [points_of(dot) for dot in axes.lines]
    found = sorted(one[0].tolist() for one in drawn if len(one) == 1)
    np.testing.assert_allclose(found, sorted(zip(x, y, strict=True)))
    r = stats.pearsonr(x, y)
    low, high = r.confidence_interval()
    assert axes.get_title() == f"r = {r.statistic:.2f} [{low:.2f}, {high:.2f}]"
    assert axes.get_xlabel() == "WER (%)"


def test_word_and_character_errors_are_not_correlated(root: Path, add: Add) -> None:
    for measure in ("WER", "CER"):
        add(measure, recognition={"measure": measure, "rate": 0.5})

    with pytest.raises(NserbenchError, match="some of characters"):
        make_figure("wer", figure_data(root))


def test_the_caption_says_of_how_many_clips_an_error_rate_is(
    root: Path, add: Add
) -> None:
    for number, (rate, right) in enumerate(RECOGNITION.values()):
        errors = {"measure": "WER", "rate": rate, "utterances": 17, "clips": 18}
        add(f"cell {number}", recognition=errors, right=right)

    lines = caption_lines("wer", figure_data(root))

    assert (
        "error rates of emodb: of 17 of 18 clips, since the others have no text"
        in lines
    )


def add_transcribed(add: Add, *conditions: str, **study: Any) -> None:
    """Add results of an upstream that transcribes, of a corpus and protocol."""
    for condition in conditions or RECOGNITION:
        rate, right = RECOGNITION[condition]
        recognition = {"measure": "WER", "rate": rate}
        add(
            "whisper",
            condition=condition,
            right=right,
            recognition=recognition,
            **study,
        )


@pytest.mark.parametrize("apart", ["protocol", "corpus"])
def test_neither_protocols_nor_corpora_are_pooled_in_one_regression(
    apart: str, root: Path, add: Add
) -> None:
    pytest.importorskip("statsmodels")
    add_transcribed(add, **{apart: "paper"})
    add_transcribed(add, "clean", "park@0", **{apart: "other"})
    data = figure_data(root, 7)
    points = [
        (100 * point.rate, 100 * point.score.value)
        for point in wer_points(data.table, data.results, "uar")
        if getattr(point.column, apart).startswith("paper")
    ]
    rates, values = zip(*points, strict=True)
    r = stats.pearsonr(rates, values).statistic
    slope, start = np.polyfit(rates, values, 1)

    other, paper = make_figure("wer", data).axes

    few, full = ("other v1", "paper v1") if apart == "protocol" else ("other", "paper")
    assert title_of(other) == f"{few} too few points for r"
    assert title_of(paper).startswith(f"{full} r = {r:.2f} [")
    assert not [line for line in other.lines if len(points_of(line)) == 2]
    (fit,) = (line for line in map(points_of, paper.lines) if len(line) == 2)
    np.testing.assert_allclose(fit[:, 1], start + slope * fit[:, 0])
    lines = caption_lines("wer", data)
    assert f"{few}: no correlation over 2 points: it takes 4" in "\n".join(lines)
    (own,) = (line for line in lines if "Pearson's r" in line)
    assert own.startswith(f"{full}: Pearson's r = {r:.3f}, p = ")
    assert own.endswith(" 4 points")


def test_conditions_counted_once_for_each_protocol_are_too_few_points(
    root: Path, add: Add
) -> None:
    for protocol in ("paper", "paper+oracle"):
        add_transcribed(add, "clean", "park@0", protocol=protocol)

    with pytest.raises(NserbenchError) as caught:
        make_figure("wer", figure_data(root))

    assert "4 points or more of one corpus and protocol" in str(caught.value)
    assert "paper v1 has 2" in str(caught.value)


def test_the_caption_has_protocols_and_correlations(grid: Path) -> None:
    pytest.importorskip("statsmodels")

    lines = caption_lines("wer", figure_data(grid))

    assert lines[0].startswith("protocol probe v1 on emodb: epochs 50")
    assert lines[1].startswith("Pearson's r = ")
    assert lines[-1].startswith("mixed-effects model with an intercept for each of 2 ")
