"""Figures: what they show is what the table says, and they can be read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import FillBetweenPolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy import stats

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result, read_results, write_result
from nserbench.errors import NserbenchError, UnknownName
from nserbench.leaderboard.plots.choose import choose
from nserbench.leaderboard.plots.make import KINDS, FigureData, make_figure, said_of
from nserbench.leaderboard.plots.names import told_apart
from nserbench.leaderboard.plots.style import folded, look, save
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.tables.series import wer_points
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]
LEVELS = (-5, 0, 5)
HEADS = ("mean", "single:layer=1", "single:layer=2")
QUICK = "snr"
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in KINDS if name != QUICK]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give results of two upstreams under three heads, clean and in a park."""
    root = tmp_path_factory.mktemp("grid")
    rng = np.random.default_rng(0)
    conditions = ("clean", *(f"park@{level}" for level in LEVELS))
    for upstream, head, condition in itertools.product(
        ("whisper-enc", "whisper-dec"), HEADS, conditions
    ):
        write_result(root, made_up(upstream, head, condition, rng))
    return root


def made_up(
    upstream: str, head: str, condition: str, rng: np.random.Generator
) -> Result:
    """Make a result of eight utterances of four speakers."""
    labels = np.arange(8) % 2
    predicted = np.where(rng.random(8) < 0.7, labels, 1 - labels)
    weights = dict(zip(("1", "2"), rng.dirichlet([3, 3]).tolist(), strict=True))
    return Result(
        status="done",
        digest=f"{rng.integers(1 << 40):010x}",
        upstream=upstream,
        downstream=head,
        corpus="emodb",
        condition=condition,
        protocol="probe",
        seed=0,
        protocol_details={"name": "probe", "version": 1, "recipe": {"epochs": 50}},
        classes=("anger", "neutral"),
        predictions=Predictions(
            utterances=tuple("abcdefgh"),
            speakers=tuple("aabbccdd"),
            folds=tuple("11112222"),
            classes=("anger", "neutral"),
            labels=labels,
            predicted=predicted,
            probabilities=np.eye(2)[predicted],
        ),
        recognition={"measure": "WER", "rate": float(rng.uniform(0.1, 0.9))},
        costs={
            "extraction_seconds": float(rng.uniform(1, 100)),
            "training_seconds": 1.0,
        },
        notes={"layer_weights": {"1": {"encoder": weights}}} if head == "mean" else {},
        provenance={"finished": "2026-11-22T10:00:00+00:00"},
    )


def source(root: Path, width: float = 3.4, *, heatmap: bool = False) -> FigureData:
    return FigureData(root, summary_table(root, ["uar"]), "uar", width, heatmap)


def few(one: FigureData, name: str) -> FigureData:
    """Keep as many panels as a figure of confusions holds."""
    if name != "confusion":
        return one
    return replace(one, table=choose(one.table, heads=["mean"]))


def line(axes: Axes, number: int) -> dict[float, float]:
    """Give the points of a line, by the number that says how it looks."""
    style = look(number)
    (found,) = (
        one
        for one in axes.lines
        if one.get_color() == style["color"]
        and one.get_marker() == style["marker"]
        and len(one.get_xdata()) > 1
    )
    return dict(zip(found.get_xdata(), found.get_ydata(), strict=True))


def percent(table: SummaryTable, row: Row, condition: str) -> float:
    column = Column("emodb", condition, "probe v1")
    return 100 * table.entries[row, column].scores["uar"].value


def sheets(figure: Figure) -> list[tuple[Axes, np.ndarray]]:
    """Give the panels of a heatmap, with the numbers behind the colours."""
    return [
        (axes, mesh.get_array().reshape(mesh._coordinates.shape[0] - 1, -1))
        for axes in figure.axes
        for mesh in axes.collections
        if isinstance(mesh, QuadMesh) and axes.get_label() != "<colorbar>"
    ]


def test_lines_over_the_snr_are_the_scores_of_the_table(grid: Path) -> None:
    one = source(grid)

    (axes,) = make_figure("snr", one).axes

    for number, row in enumerate(one.table.rows):
        assert line(axes, number) == {
            level: percent(one.table, row, f"park@{level}") for level in LEVELS
        }


def test_bands_over_the_snr_are_the_intervals_of_the_table(grid: Path) -> None:
    one = source(grid)

    (axes,) = make_figure("snr", one).axes

    bands = [b for b in axes.collections if isinstance(b, FillBetweenPolyCollection)]
    assert len(bands) == len(one.table.rows)
    for row, band in zip(one.table.rows, bands, strict=True):
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
        for level in LEVELS:
            column = Column("emodb", f"park@{level}", "probe v1")
            score = one.table.entries[row, column].scores["uar"]
            assert {(level, 100 * score.low), (level, 100 * score.high)} <= corners


def test_clean_speech_stands_beyond_the_highest_level(grid: Path) -> None:
    one = source(grid)

    (axes,) = make_figure("snr", one).axes

    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    points = [
        found.get_ydata()[0]
        for found in axes.lines
        if len(found.get_xdata()) == 1 and found.get_marker() in "osDv^P"
    ]
    assert ticks == ["-5", "0", "5", "clean"]
    assert points == [percent(one.table, row, "clean") for row in one.table.rows]


def test_lines_over_layers_are_the_scores_of_the_table(grid: Path) -> None:
    one = source(grid)

    figure = make_figure("layers", one)

    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["whisper-dec", "whisper-enc"]
    conditions = [column.condition for column in one.table.columns]
    for axes in figure.axes:
        for number, condition in enumerate(conditions):
            assert line(axes, number) == {
                layer: percent(
                    one.table,
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
    one = source(grid, heatmap=True)

    figure = make_figure("layers", one)

    for axes, values in sheets(figure):
        expected = [
            [
                percent(one.table, Row(axes.get_title(), head), column.condition)
                for head in HEADS[1:]
            ]
            for column in one.table.columns
        ]
        np.testing.assert_allclose(values, expected)


def test_confusions_are_shares_of_the_true_class(root: Path, add: Add) -> None:
    add(right="11111110")  # the last is neutral, and taken for anger
    add(right="01010101", condition="park@0")

    figure = make_figure("confusion", source(root))

    (_, clean), (_, park) = sheets(figure)
    np.testing.assert_allclose(clean, [[100, 0], [25, 75]])
    np.testing.assert_allclose(park, [[0, 100], [0, 100]])
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["100", "0", "25", "75"]


def test_a_class_without_an_utterance_has_no_share(root: Path, add: Add) -> None:
    predictions = read_results(add().parent)[0].predictions
    assert predictions is not None
    classes = ("anger", "fear", "neutral")
    probabilities = np.insert(predictions.probabilities, 1, 0, axis=1)
    numbers = {"labels": 2 * predictions.labels, "predicted": 2 * predictions.predicted}
    changed = type(predictions)(
        predictions.utterances,
        predictions.speakers,
        predictions.folds,
        classes,
        probabilities=probabilities,
        **numbers,
    )
    add(head="last", predictions=changed, classes=classes)

    figure = make_figure("confusion", source(root))

    (_, first), _ = sheets(figure)
    assert np.ma.getmaskarray(first).tolist() == [[False] * 3, [True] * 3, [False] * 3]


def test_words_and_emotions_are_points_with_r_above_them(grid: Path) -> None:
    one = source(grid)
    found = wer_points(one.table, one.results, "uar")
    x, y = [100 * each.rate for each in found], [100 * each.value for each in found]

    (axes,) = make_figure("wer", one).axes

    points = sorted(
        (dot.get_xdata()[0], dot.get_ydata()[0])
        for dot in axes.lines
        if len(dot.get_xdata()) == 1
    )
    np.testing.assert_allclose(points, sorted(zip(x, y, strict=True)))
    r = stats.pearsonr(x, y)
    low, high = r.confidence_interval()
    assert axes.get_title() == f"r = {r.statistic:.2f} [{low:.2f}, {high:.2f}]"
    assert axes.get_xlabel() == "WER (%)"


def test_words_and_characters_are_not_correlated(root: Path, add: Add) -> None:
    for measure in ("WER", "CER"):
        add(measure, recognition={"measure": measure, "rate": 0.5})

    with pytest.raises(NserbenchError, match="some of characters"):
        make_figure("wer", source(root))


WORDS = {
    "clean": (0.1, "11111111"),
    "park@5": (0.2, "11111110"),
    "park@0": (0.4, "11101110"),
    "park@-5": (0.7, "10101010"),
}
"""The error rate and the answers in each condition."""


def hear(add: Add, *conditions: str, **study: str) -> None:
    """Add results of an upstream that transcribes, of one corpus and protocol."""
    for condition in conditions or WORDS:
        rate, right = WORDS[condition]
        heard = {"measure": "WER", "rate": rate}
        add("whisper", condition=condition, right=right, recognition=heard, **study)


def title_of(axes: Axes) -> str:
    """Return the title of a panel in one line."""
    return " ".join(axes.get_title().split())


@pytest.mark.parametrize("apart", ["protocol", "corpus"])
def test_neither_protocols_nor_corpora_are_pooled_in_one_regression(
    apart: str, root: Path, add: Add
) -> None:
    pytest.importorskip("statsmodels")
    hear(add, **{apart: "paper"})
    hear(add, "clean", "park@0", **{apart: "other"})
    one = source(root, 7)
    points = [
        (100 * each.rate, 100 * each.value)
        for each in wer_points(one.table, one.results, "uar")
        if getattr(each.column, apart).startswith("paper")
    ]
    rates, values = zip(*points, strict=True)
    r = stats.pearsonr(rates, values).statistic
    slope, start = np.polyfit(rates, values, 1)

    other, paper = make_figure("wer", one).axes

    few, full = ("other v1", "paper v1") if apart == "protocol" else ("other", "paper")
    assert title_of(other) == f"{few} too few points for r"
    assert title_of(paper).startswith(f"{full} r = {r:.2f} [")
    assert not [line for line in other.lines if len(line.get_xdata()) == 2]
    (fit,) = (line for line in paper.lines if len(line.get_xdata()) == 2)
    np.testing.assert_allclose(
        fit.get_ydata(), [start + slope * x for x in fit.get_xdata()]
    )
    told = said_of("wer", one)
    assert f"{few}: no correlation over 2 points: it takes 4" in "\n".join(told)
    (own,) = (line for line in told if "Pearson's r" in line)
    assert own.startswith(f"{full}: Pearson's r = {r:.3f}, p = ")
    assert own.endswith(" 4 points")


def test_conditions_counted_once_for_each_protocol_are_too_few_points(
    root: Path, add: Add
) -> None:
    for protocol in ("paper", "paper+oracle"):
        hear(add, "clean", "park@0", protocol=protocol)

    with pytest.raises(NserbenchError) as caught:
        make_figure("wer", source(root))

    assert "4 points or more of one corpus and protocol" in str(caught.value)
    assert "paper v1 has 2" in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_a_choice_that_flatters_is_named_in_the_figure_and_in_its_caption(
    name: str, root: Path, add: Add
) -> None:
    pytest.importorskip("statsmodels")
    for layer, (condition, (rate, right)) in itertools.product((1, 2), WORDS.items()):
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
    one = source(root)

    figure = make_figure(name, one)

    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all("chosen on test" in title_of(axes) for axes in panels)
    assert "paper+oracle v1 flatters: chosen on test" in said_of(name, one)


@pytest.mark.parametrize("name", ["layers", "weights"])
def test_layers_of_two_corpora_or_protocols_have_panels_of_their_own(
    name: str, root: Path, add: Add
) -> None:
    studies = {}, {"protocol": "paper"}, {"corpus": "casia"}
    heads = {"layers": ["single:layer=1", "single:layer=2"], "weights": ["mean"]}[name]
    for head, study, condition in itertools.product(
        heads, studies, ("clean", "park@0")
    ):
        weights = {"layer_weights": {"1": {"encoder": {"1": 0.5, "2": 0.5}}}}
        add("mel", head, condition, notes=weights, **study)

    figure = make_figure(name, source(root))

    assert sorted(filter(None, map(title_of, figure.axes))) == [
        "mel, casia, probe v1",
        "mel, emodb, paper v1",
        "mel, emodb, probe v1",
    ]


def test_a_caption_speaks_of_what_is_drawn_alone(root: Path, add: Add) -> None:
    for snr in (0, 5):
        add(condition=f"park@{snr}", epochs=50)
    add("bert", condition="park@0", epochs=3)  # one level is no line
    add(corpus="casia", epochs=50)
    add(protocol="paper", epochs=50)

    (told,) = said_of("snr", source(root))

    assert told.startswith("protocol probe v1 on emodb: epochs 50")


def test_clean_speech_beside_a_curve_is_in_its_caption(root: Path, add: Add) -> None:
    for snr in (0, 5):
        add(condition=f"park@{snr}", epochs=50)
    add(epochs=3)

    told = said_of("snr", source(root))

    assert [line.partition("epochs ")[2].partition(",")[0] for line in told] == [
        "3",
        "50",
    ]


def test_what_nothing_beats_is_named_and_joined(root: Path, add: Add) -> None:
    for head, right, seconds in (
        ("mean", "11110000", 1.0),
        ("last", "11100000", 2.0),
        ("bigru", "11111111", 30.0),
    ):
        spent = {"extraction_seconds": seconds, "training_seconds": 0.0}
        add(head=head, right=right, costs=spent)

    figure = make_figure("pareto", source(root))

    (axes,), (legend,) = figure.axes, figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    (stairs,) = (one for one in axes.lines if len(one.get_xdata()) == 2)
    assert names == ["mel, bigru", "mel, mean", "beaten"]
    assert stairs.get_xdata().tolist() == [1.0, 30.0]
    assert stairs.get_ydata().tolist() == [50.0, 100.0]


def test_weights_are_squares_by_layer_and_condition(grid: Path) -> None:
    one = source(grid)
    expected = {
        (result.upstream, result.condition): result.notes["layer_weights"]["1"]
        for result in one.results
        if result.notes
    }

    figure = make_figure("weights", one)

    for axes, values in sheets(figure):
        upstream = axes.get_title()
        conditions = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
        for condition, row in zip(conditions, values, strict=True):
            weights = expected[upstream, condition]["encoder"]
            np.testing.assert_allclose(row, [weights["1"], weights["2"]])


def test_negative_weights_have_the_middle_of_the_scale_at_0(
    root: Path, add: Add
) -> None:
    add(notes={"layer_weights": {"1": {"encoder": {"1": -0.1, "2": 0.4}}}})

    figure = make_figure("weights", source(root))

    (mesh,) = (one for one in figure.axes[0].collections if isinstance(one, QuadMesh))
    assert mesh.get_clim() == (-0.4, 0.4)


@pytest.mark.parametrize("name", [QUICK, *SLOW])
def test_a_figure_is_well_formed_in_every_kind_of_file(
    name: str, grid: Path, tmp_path: Path
) -> None:
    figure = make_figure(name, few(source(grid), name))

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
        save(make_figure("snr", source(grid)), file)

    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"Date" not in first


@pytest.mark.slow
@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("name", [*KINDS, "heatmap"])
def test_no_text_hides_another_or_leaves_the_figure(
    name: str, width: float, grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = source(grid, width, heatmap=name == "heatmap")
    figure = make_figure("layers" if name == "heatmap" else name, few(one, name))
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
    figure = make_figure(name, source(grid))
    canvas = FigureCanvasAgg(figure)

    canvas.draw()

    (legend,) = figure.legends
    box = legend.get_window_extent(canvas.get_renderer())
    assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_neighbours_differ_in_colour_marker_and_dashes() -> None:
    looks = [look(place) for place in range(8)]

    assert len({tuple(one.values()) for one in looks}) == 8
    for one, other in itertools.pairwise(looks):
        assert all(one[key] != other[key] for key in one)


def test_more_lines_than_can_be_told_apart_are_refused(root: Path, add: Add) -> None:
    for place, snr in itertools.product(range(9), (0, 5)):
        add(f"up{place}", condition=f"park@{snr}")

    with pytest.raises(
        NserbenchError, match=r"8 lines at most.* would have 9\n  choose"
    ):
        make_figure("snr", source(root))


def test_more_panels_than_can_be_read_are_refused(root: Path, add: Add) -> None:
    for place in range(13):
        add(f"up{place}")

    with pytest.raises(NserbenchError, match="12 panels at most"):
        make_figure("confusion", source(root))


@pytest.mark.parametrize("name", ["snr", "confusion"])
@pytest.mark.parametrize("label", ["$\\frac{1}$", "_hidden", "x" * 10_000, "a\x00b\nc"])
def test_names_of_others_are_shown_as_text(
    label: str, name: str, root: Path, add: Add, tmp_path: Path
) -> None:
    spent = {"extraction_seconds": 1.0, "training_seconds": 1.0}
    for upstream, snr in itertools.product(("mel", label), (0, 5)):
        add(upstream, condition=f"park@{snr}", costs=spent)

    save(make_figure(name, source(root)), tmp_path / "a.svg")

    words = "".join(ElementTree.parse(tmp_path / "a.svg").getroot().itertext())
    assert {"$": "$\\frac{1}$", "_": "hidden", "x": "xxx...", "a": "a\ufffdb"}[
        label[0]
    ] in words.replace("\n", "")


@pytest.mark.parametrize("name", KINDS)
def test_where_nothing_can_be_drawn_it_says_what_there_is_and_what_to_do(
    name: str, root: Path, add: Add
) -> None:
    add(right=None, status="failed", reason="no room")

    with pytest.raises(NserbenchError) as caught:
        make_figure(name, source(root))

    told = str(caught.value)
    assert f"nothing to draw for {name}" in told
    assert "upstreams: mel" in told
    assert "nserbench run -u " in told


def test_protocols_are_told_and_tests_beside_words(grid: Path) -> None:
    pytest.importorskip("statsmodels")

    told = said_of("wer", source(grid))

    assert told[0].startswith("protocol probe v1 on emodb: epochs 50")
    assert told[1].startswith("Pearson's r = ")
    assert told[-1].startswith("with an intercept for each of 2 upstreams: ")


def test_names_choose_rows_and_columns(grid: Path) -> None:
    table = summary_table(grid, ["uar"])

    chosen = choose(
        table,
        upstreams=["whisper-enc"],
        heads=["single:layer=2,mean"],
        noises=["clean"],
        corpora=["emodb"],
    )

    assert [str(row) for row in chosen.rows] == [
        "whisper-enc x mean",
        "whisper-enc x single:layer=2",
    ]
    assert [column.condition for column in chosen.columns] == ["clean"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("paper", ["paper v1", "paper v2"]),
        ("paper v2", ["paper v2"]),
        ("paper+oracle,probe", ["paper+oracle v1", "probe v1"]),
    ],
)
def test_a_protocol_stands_for_its_versions_and_for_none_of_its_variants(
    typed: str, kept: list[str], root: Path, add: Add
) -> None:
    add()
    add(protocol="paper")
    add(protocol="paper", version=2)
    add(protocol="paper+oracle")

    chosen = choose(summary_table(root, ["uar"]), protocols=[typed])

    assert [column.protocol for column in chosen.columns] == kept


def test_a_name_stands_for_all_that_have_its_options(root: Path, add: Add) -> None:
    add("whisper:checkpoint=a", "single:groups=encoder,layer=1")
    add("whisper:checkpoint=b", "single:groups=decoder,layer=1")
    add("whisper-enc", "single:layer=1")
    table = summary_table(root, ["uar"])

    assert len(choose(table, upstreams=["whisper"]).rows) == 2
    assert len(choose(table, upstreams=["whisper:checkpoint=b"]).rows) == 1
    assert len(choose(table, heads=["single:layer=1"]).rows) == 3
    assert len(choose(table, heads=["single:groups=encoder"]).rows) == 1


@pytest.mark.parametrize(
    "kind", ["upstreams", "heads", "corpora", "noises", "protocols"]
)
def test_a_name_that_nothing_has_is_an_error_with_those_there_are(
    kind: str, grid: Path
) -> None:
    with pytest.raises(UnknownName, match=r"'mfcc'\n.*known: "):
        choose(summary_table(grid, ["uar"]), **{kind: ["mfcc"]})


def test_parts_that_do_not_differ_are_not_said_twice() -> None:
    named = [("whisper", "", "single"), ("whisper", "encoder", "single")]

    assert told_apart(named) == ["whisper", "whisper, encoder"]
    assert told_apart(named[:1]) == ["whisper"]


def test_a_long_name_breaks_behind_its_marks() -> None:
    assert folded("whisper-enc:checkpoint=whisper-tiny.en, last", 1.5) == (
        "whisper-enc:checkpoint=\nwhisper-tiny.en, last"
    )


@pytest.mark.parametrize("name", ["snr", "pareto"])
def test_one_speaker_has_points_and_no_intervals(
    name: str, root: Path, add: Add, tmp_path: Path
) -> None:
    spent = {"extraction_seconds": 1.0, "training_seconds": 1.0}
    for snr in (0, 5):
        add(condition=f"park@{snr}", speakers=("ann",) * 8, costs=spent)

    figure = make_figure(name, source(root))
    save(figure, tmp_path / "a.svg")

    axes = figure.axes[0]
    assert [100.0] in [[*map(float, set(one.get_ydata()))] for one in axes.lines]
    assert not any(paths.get_paths() for paths in axes.collections)
