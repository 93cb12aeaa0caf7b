"""What all figures share: they can be read, and are the same file each time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from figures import (
    figure_data,
)
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.choose_results import choose
from nserbench.leaderboard.plots.make import (
    KINDS,
    FigureData,
    make_figure,
)
from nserbench.leaderboard.plots.style import line_style, save, wrapped

Add = Callable[..., Path]
QUICK = "snr"
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in KINDS if name != QUICK]


def few(data: FigureData, name: str) -> FigureData:
    """Keep as many panels as a figure of confusions holds."""
    if name != "confusion":
        return data
    return replace(data, table=choose(data.table, heads=["mean"]))


@pytest.mark.parametrize("name", [QUICK, *SLOW])
def test_a_figure_is_well_formed_in_every_kind_of_file(
    name: str, grid: Path, tmp_path: Path
) -> None:
    figure = make_figure(name, few(figure_data(grid), name))

    for ending in ("svg", "pdf", "png"):
        save(figure, tmp_path / f"a.{ending}")

    words = "".join(ElementTree.parse(tmp_path / "a.svg").getroot().itertext())
    assert "(%)" in words or "weight" in words
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == pytest.approx(3.4 * 300, abs=1)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert Gcf.get_all_fig_managers() == []


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_figure_is_the_same_file(
    ending: str, grid: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.{ending}" for name in "ab"]

    for file in files:
        save(make_figure("snr", figure_data(grid)), file)

    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"Date" not in first


@pytest.mark.slow
@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("name", [*KINDS, "heatmap"])
def test_no_text_hides_another_or_leaves_the_figure(
    name: str, width: float, grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = figure_data(grid, width, heatmap=name == "heatmap")
    figure = make_figure("layers" if name == "heatmap" else name, few(data, name))
    canvas, drawn, draw = FigureCanvasAgg(figure), {}, Text.draw

    def spy(text: Text, renderer: Any) -> None:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            drawn[text] = box.padded(-1)
        draw(text, renderer)

    monkeypatch.setattr(Text, "draw", spy)

    canvas.draw()

    whole = figure.bbox
    for text, box in drawn.items():
        assert whole.contains(box.x0, box.y0), text
        assert whole.contains(box.x1, box.y1), text
    for (first, box), (second, other) in itertools.combinations(drawn.items(), 2):
        assert not box.overlaps(other), (first, second)


@pytest.mark.parametrize("name", ["snr", "wer"])
def test_the_legend_stands_outside_the_data(name: str, grid: Path) -> None:
    figure = make_figure(name, figure_data(grid))
    canvas = FigureCanvasAgg(figure)

    canvas.draw()

    (legend,) = figure.legends
    box = legend.get_window_extent(canvas.get_renderer())
    assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_neighbours_differ_in_colour_marker_and_dashes() -> None:
    styles = [line_style(place) for place in range(8)]

    assert len({tuple(style.values()) for style in styles}) == 8
    for style, other in itertools.pairwise(styles):
        assert all(style[key] != other[key] for key in style)


def test_more_lines_than_can_be_told_apart_are_refused(root: Path, add: Add) -> None:
    for place, snr in itertools.product(range(9), (0, 5)):
        add(f"up{place}", condition=f"park@{snr}")

    with pytest.raises(
        NserbenchError, match=r"8 lines at most.* would have 9\n  choose"
    ):
        make_figure("snr", figure_data(root))


def test_more_panels_than_a_figure_holds_are_refused(root: Path, add: Add) -> None:
    for place in range(13):
        add(f"up{place}")

    with pytest.raises(NserbenchError, match="12 panels at most"):
        make_figure("confusion", figure_data(root))


@pytest.mark.parametrize("name", ["snr", "confusion"])
@pytest.mark.parametrize("label", ["$\\frac{1}$", "_hidden", "x" * 10_000, "a\x00b\nc"])
def test_any_text_as_a_name_is_shown_as_text(
    label: str, name: str, root: Path, add: Add, tmp_path: Path
) -> None:
    times = {"extraction_seconds": 1.0, "training_seconds": 1.0}
    for upstream, snr in itertools.product(("mel", label), (0, 5)):
        add(upstream, condition=f"park@{snr}", costs=times)

    save(make_figure(name, figure_data(root)), tmp_path / "a.svg")

    words = "".join(ElementTree.parse(tmp_path / "a.svg").getroot().itertext())
    assert {"$": "$\\frac{1}$", "_": "hidden", "x": "xxx...", "a": "a\ufffdb"}[
        label[0]
    ] in words.replace("\n", "")


def test_a_long_name_is_wrapped_behind_its_punctuation() -> None:
    assert wrapped("whisper-enc:checkpoint=whisper-tiny.en, last", 1.5) == (
        "whisper-enc:checkpoint=\nwhisper-tiny.en, last"
    )
