from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nserbench.errors import NserbenchError
from nserbench.leaderboard.plots.class_counts import draw_classes
from nserbench.leaderboard.plots.colours import COLOURS

FIG_2 = {
    "meld": {"anger": 1607, "happiness": 2308, "neutral": 6436, "sadness": 1002},
    "casia": {"anger": 1200, "fear": 1200, "neutral": 1200},
}


def fills(file: Path) -> list[str]:
    """Return the colours of the bars and of the legend, as the SVG spells them."""
    styles = [node.get("style", "") for node in ElementTree.parse(file).iter()]
    return [style[6:13].upper() for style in styles if style.startswith("fill: #")]


@pytest.mark.parametrize(
    ("ending", "beginning"), [("pdf", b"%PDF"), ("png", b"\x89PNG"), ("svg", b"<?xml")]
)
def test_the_ending_says_what_is_written(
    tmp_path: Path, ending: str, beginning: bytes
) -> None:
    file = tmp_path / f"fig2.{ending}"

    draw_classes(FIG_2, file)

    assert file.read_bytes().startswith(beginning)


def test_a_class_has_one_colour_in_all_corpora(tmp_path: Path) -> None:
    draw_classes(FIG_2, tmp_path / "fig2.svg")

    colours = fills(tmp_path / "fig2.svg")
    bars = {colour.upper(): colours.count(colour.upper()) - 1 for colour in COLOURS}
    assert list(bars.values()) == [2, 1, 2, 1, 1, -1, -1, -1]  # the legend has one


def test_every_bar_says_its_count(tmp_path: Path) -> None:
    draw_classes(FIG_2, tmp_path / "fig2.svg")

    drawn = (tmp_path / "fig2.svg").read_text()
    for count in (1607, 2308, 6436, 1002, 1200):
        assert f">{count}<" in drawn
    for name in ("meld", "casia", "fear", "utterances"):
        assert f">{name}<" in drawn


def test_another_ending_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NserbenchError, match=r"endings: \.pdf, \.png, \.svg"):
        draw_classes(FIG_2, tmp_path / "fig2.doc")


def test_the_legend_of_many_classes_is_inside_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(
        "nserbench.leaderboard.plots.class_counts.save",
        lambda figure, file: drawn.append(figure),
    )
    names = "neutral happiness anger sadness contempt frustration excitement boredom"

    draw_classes({"one": dict.fromkeys(names.split(), 7)}, tmp_path / "a.svg")

    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert len(legend.get_texts()) == 8
    assert 0 <= box.x0 <= box.x1 <= page.x1
    assert 0 <= box.y0 <= box.y1 <= page.y1
