"""Every figure by its name, and its caption."""

from __future__ import annotations

import itertools
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

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.make import (
    KINDS,
    caption_lines,
    make_figure,
)
from nserbench.leaderboard.plots.style import save

Add = Callable[..., Path]


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"ranks"}))
def test_a_score_that_is_too_optimistic_is_named_in_the_figure_and_in_its_caption(
    name: str, root: Path, add: Add
) -> None:
    pytest.importorskip("statsmodels")
    for layer, (condition, (rate, right)) in itertools.product(
        (1, 2), RECOGNITION.items()
    ):
        add(
            "whisper",
            f"single:layer={layer}",
            condition,
            right,
            protocol="paper+oracle",
            recognition={"measure": "WER", "rate": rate},
            costs={"extraction_seconds": 1.0, "training_seconds": 1.0},
            notes={"layer_weights": {"1": {"encoder": {"1": 0.5, "2": 0.5}}}},
        )
    data = figure_data(root)

    figure = make_figure(name, data)

    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all("chosen on test" in title_of(axes) for axes in panels)
    warning = "scores of paper+oracle v1 are too optimistic: chosen on test"
    assert warning in caption_lines(name, data)


@pytest.mark.parametrize("name", ["layers", "weights"])
def test_layers_of_two_corpora_or_protocols_have_panels_of_their_own(
    name: str, root: Path, add: Add
) -> None:
    studies: list[dict[str, Any]] = [{}, {"protocol": "paper"}, {"corpus": "casia"}]
    heads = {"layers": ["single:layer=1", "single:layer=2"], "weights": ["mean"]}[name]
    for head, study, condition in itertools.product(
        heads, studies, ("clean", "park@0")
    ):
        weights = {"layer_weights": {"1": {"encoder": {"1": 0.5, "2": 0.5}}}}
        add("mel", head, condition, notes=weights, **study)

    figure = make_figure(name, figure_data(root))

    assert sorted(filter(None, map(title_of, figure.axes))) == [
        "mel, casia, probe v1",
        "mel, emodb, paper v1",
        "mel, emodb, probe v1",
    ]


def test_a_caption_names_the_protocols_of_drawn_results_only(
    root: Path, add: Add
) -> None:
    for snr in (0, 5):
        add(condition=f"park@{snr}", epochs=50)
    add("bert", condition="park@0", epochs=3)  # a single SNR is no line
    add(corpus="casia", epochs=50)
    add(protocol="paper", epochs=50)

    (line,) = caption_lines("snr", figure_data(root))

    assert line.startswith("protocol probe v1 on emodb: epochs 50")


def test_clean_speech_beside_a_curve_is_in_its_caption(root: Path, add: Add) -> None:
    for snr in (0, 5):
        add(condition=f"park@{snr}", epochs=50)
    add(epochs=3)

    lines = caption_lines("snr", figure_data(root))

    assert [line.partition("epochs ")[2].partition(",")[0] for line in lines] == [
        "3",
        "50",
    ]


@pytest.mark.parametrize("name", KINDS)
def test_an_error_says_what_results_there_are_and_what_to_run(
    name: str, root: Path, add: Add
) -> None:
    add(right=None, status="failed", reason="no room")

    with pytest.raises(NserbenchError) as caught:
        make_figure(name, figure_data(root))

    lines = str(caught.value)
    assert f"nothing to draw for {name}" in lines
    assert "upstreams: mel" in lines
    assert "nserbench run -u " in lines


@pytest.mark.parametrize("name", ["snr", "pareto"])
def test_one_speaker_has_points_and_no_intervals(
    name: str, root: Path, add: Add, tmp_path: Path
) -> None:
    times = {"extraction_seconds": 1.0, "training_seconds": 1.0}
    for snr in (0, 5):
        add(condition=f"park@{snr}", speakers=("ann",) * 8, costs=times)

    figure = make_figure(name, figure_data(root))
    save(figure, tmp_path / "a.svg")

    axes = figure.axes[0]
    assert [100.0] in [np.unique(points_of(line)[:, 1]).tolist() for line in axes.lines]
    assert not any(paths.get_paths() for paths in axes.collections)
