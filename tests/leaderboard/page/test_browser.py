"""The page in a browser."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_views import addresses, go
from playwright.sync_api import Page, expect
from values import bounds, not_none

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.predictions import Predictions
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.analysis.statistics import Difference
from nserbench.leaderboard.page.index import short
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]
Open = Callable[..., Page]
CLEAN = Column("emodb", "clean", "probe v1")
LEARNT = {
    "1": {"losses": [1.4, 0.6, 0.3], "accuracies": [0.3, 0.7, 0.9], "dev": []},
    "2": {"losses": [1.5, 0.8, 0.4], "accuracies": [0.2, 0.6, 0.8], "dev": []},
}


@pytest.fixture
def filled(add: Add) -> dict[str, Path]:
    """Add two upstreams and a layer study, clean and in noise, with empty cells."""
    folders = {
        "mel": add("mel", "mean", "clean", "11101010", notes={"training": LEARNT}),
        "whisper": add("whisper", "mean", "clean", "11111010"),
    }
    for condition, right in (("park@5", "11111010"), ("park@0", "11100100")):
        add("mel", "mean", condition, right)
        add("whisper", "mean", condition, "11111100")
    for layer, right in (("1", "11000110"), ("2", "11101100")):
        recognition = {"measure": "WER", "rate": 0.2, "mean": 0.25}
        times = {
            "extraction_seconds": 3.0,
            "training_seconds": 3.0 - int(layer),
            "trainable_parameters": 1000,
        }
        add(
            "whisper",
            f"single:layer={layer}",
            right=right,
            recognition=recognition,
            costs=times,
        )
    add("mel", "last", right=None, status="not applicable", reason="mel has one layer")
    add("bert", "mean", right=None, status="failed", reason="out of memory")
    return folders


def names(page: Page) -> list[str]:
    return page.locator(".tabulator-row .row-name .text").all_inner_texts()


def shown(page: Page) -> list[str]:
    return [" ".join(name.split()) for name in names(page)]


def sort_button(page: Page, text: str) -> None:
    page.locator(".tabulator-header button.sort", has_text=text).click()


def test_begins_with_the_best_mean_rank_and_sorts_by_any_column(
    visit: Open, filled: dict[str, Path]
) -> None:
    page = visit()
    began = shown(page)

    sort_button(page, "park@0")
    falling = shown(page)
    sort_button(page, "park@0")
    rising = shown(page)
    sort_button(page, "upstream")

    assert began[0] == "whisper mean"
    assert began[-2:] == ["bert mean", "mel last"]
    assert falling[:2] == ["whisper mean", "mel mean"]
    assert rising[:2] == ["mel mean", "whisper mean"]
    assert shown(page) == sorted(began)
    assert page.locator("[aria-sort=ascending]").count() == 1


def test_the_numbers_are_those_of_the_table(
    visit: Open, filled: dict[str, Path], root: Path
) -> None:
    page = visit()

    entry = summary_table(root, ["uar"]).entries[
        Row("mel", "mean"), Column("emodb", "park@5", "probe v1")
    ]
    score = entry.scores["uar"]
    line = page.locator(".tabulator-row", has_text=re.compile("mel\\s*mean"))
    cell = line.locator("[tabulator-field=c1]")
    expect(cell.locator(".value")).to_have_text(f"{100 * score.value:.1f}")
    expect(cell.locator(".bounds")).to_have_text(
        f"{100 * not_none(score.low):.1f}\u2013{100 * not_none(score.high):.1f}"
    )


def test_percentages_are_rounded_as_in_the_other_formats(
    visit: Open, filled: dict[str, Path]
) -> None:
    eighths = [number / 1600 for number in range(-1600, 1601)]
    others = np.random.default_rng(0).uniform(size=2000).tolist()
    noisy = [number * (1 + 2**-52) for number in eighths]
    page = visit()

    for numbers in (eighths, others, noisy):
        sent = list(map(short, numbers))
        found = page.evaluate("numbers => numbers.map(nserbench.percent)", sent)
        assert found == [f"{100 * number:.1f}" for number in numbers]


def test_filters_keep_the_rows_and_columns_that_match(
    visit: Open, filled: dict[str, Path]
) -> None:
    page = visit()

    page.fill("input[name=text]", "LAYER=")
    by_text = shown(page)
    page.fill("input[name=text]", "")
    page.select_option("select[name=status]", "failed")
    by_status = shown(page)
    page.select_option("select[name=status]", "")
    page.select_option("select[name=condition]", "park@0")

    assert sorted(by_text) == ["whisper single:layer=1", "whisper single:layer=2"]
    assert by_status == ["bert mean"]
    assert sorted(shown(page)) == ["mel mean", "whisper mean"]
    assert page.locator(".tabulator-header .tabulator-col").count() == 3
    page.fill("input[name=text]", "no such name")
    expect(page.locator("#main")).to_contain_text("No row matches the filters.")


def test_the_metric_can_be_changed(visit: Open, filled: dict[str, Path]) -> None:
    page = visit()
    value = page.locator(".tabulator-row", has_text="mel").locator(".value").first
    before = value.inner_text()

    page.select_option("#metric", label="F1")

    assert value.inner_text() != before
    expect(page.locator("#main")).to_contain_text("mean F1 of the classes")


def test_opens_a_cell_with_its_folds_files_and_command(
    visit: Open, filled: dict[str, Path], tmp_path: Path
) -> None:
    page = visit()

    row = page.locator(".tabulator-row", has_text=re.compile("mel\\s*mean"))
    row.locator("a").first.click()

    main = page.locator("#main")
    expect(main).to_contain_text("mel \u00d7 mean")
    expect(main).to_contain_text(
        "emodb, clean; protocol probe v1, seed 0, 8 test utter"
    )
    for title in ("Scores", "Confusion matrix", "Folds", "Training", "Provenance"):
        expect(main.get_by_role("heading", name=title)).to_have_count(1)
    expect(main.locator("pre")).to_have_text(
        "nserbench run -u mel -d mean -c emodb --protocol probe"
    )
    assert main.locator("canvas").count() == 2
    with page.expect_download() as download:
        main.get_by_text("Predictions (CSV)").click()
    assert (
        download.value.path().read_bytes()
        == (filled["mel"] / "predictions.csv").read_bytes()
    )


def test_a_cell_without_a_score_says_why(visit: Open, filled: dict[str, Path]) -> None:
    page = visit()

    page.get_by_text("n/a").first.click()

    expect(page.locator(".note")).to_have_text("not applicable: mel has one layer")


def difference_shown(page: Page, where: str) -> list[float]:
    """Return a difference and its interval, in points, from the last cell of a row."""
    line = page.locator("tbody tr", has_text=where).locator("td").last
    words = line.inner_text().replace("\u2212", "-").split()
    return [float(word) for word in words if word[-1].isdecimal()]


def test_rows_are_compared_as_the_table_compares_them(
    visit: Open, filled: dict[str, Path], add: Add, root: Path
) -> None:
    for seed, right in ((1, "10101011"), (2, "00101011")):
        add("whisper", "mean", "park@5", right, seed=seed)
    page = visit()

    for name in ("mel mean", "whisper mean"):
        page.get_by_label(f"compare {name}").check()
    page.get_by_text("Compare 2 rows").click()

    table = summary_table(root, ["uar"], reference=Row("mel", "mean"))
    for column in table.columns:
        found = table.entries[Row("whisper", "mean"), column].scores["uar"].difference
        assert found is not None
        wanted = [100 * number for number in (found.value, *bounds(found))]
        assert difference_shown(page, str(column)) == pytest.approx(wanted, abs=0.06)


def drawn(units: int, skill: float, *, apart: bool = False) -> Predictions:
    """Draw answers to 20 utterances of each unit, of two classes.

    Args:
        units: How many.
        skill: How many of the answers are right.
        apart: Whether each unit is a fold of one class.
    """
    random, count = np.random.default_rng([units, round(100 * skill)]), 20 * units
    who = np.repeat(np.arange(units), 20)
    labels = who % 2 if apart else np.arange(count) % 2
    right = random.random(count) < skill
    predicted = np.where(right, labels, 1 - labels)
    return Predictions(
        utterances=tuple(f"u{number}" for number in range(count)),
        speakers=tuple(f"s{one}" for one in who),
        folds=tuple(str(one if apart else one % 2) for one in who),
        classes=("anger", "neutral"),
        labels=labels,
        predicted=predicted,
        probabilities=np.eye(2)[predicted],
    )


def test_few_units_equal_answers_and_pooled_folds_are_as_in_the_other_formats(
    visit: Open, add: Add, root: Path
) -> None:
    for condition, units, skill, better, apart in (
        ("clean", 12, 0.7, 0.8, False),
        ("a@0", 5, 0.1, 0.9, False),
        ("b@0", 12, 0.7, 0.7, False),
        ("c@0", 12, 1.0, 0.99, False),
        ("d@0", 12, 0.6, 0.7, True),
        ("e@0", 2, 0.5, 0.6, False),
    ):
        for upstream, part in (("mel", skill), ("whisper", better)):
            found = drawn(units, part, apart=apart)
            add(upstream, condition=condition, predictions=found)
    page = visit()
    table = summary_table(root, ["uar"], reference=Row("mel", "mean"))

    heads = {
        column: page.locator(".tabulator-header button.sort", has_text=where)
        for column in table.columns
        if (where := column.condition)
    }
    for column, head in heads.items():
        chance = table.chance(column, "uar")
        assert chance is not None
        expect(head).to_contain_text(f"chance {100 * chance:.1f}")
        assert ("\u2021" in head.inner_text()) == (column.condition == "d@0")
    for name in ("mel mean", "whisper mean"):
        page.get_by_label(f"compare {name}").check()
    page.get_by_text("Compare 2 rows").click()
    for column in table.columns:
        difference = table.entries[Row("whisper", "mean"), column].scores["uar"]
        against = difference.difference
        assert against is not None
        wanted = [100 * one for one in (against.value, *bounds(against))]
        where = (
            f"{column.condition}\u2021" if column.condition == "d@0" else str(column)
        )
        assert difference_shown(page, where) == pytest.approx(wanted, abs=0.06)
    page.get_by_role("link", name="Notes").click()
    assert table.ranks
    for row, rank in table.ranks.mean.items():
        numbers = f"{rank.value:.1f}{rank.low:.1f}\u2013{rank.high:.1f}"
        expect(page.locator("tbody")).to_contain_text(
            f"{row.upstream} \u00d7 {row.downstream}{numbers}"
        )


VIEWS = {
    "SNR curves": ("canvas", "emodb, park"),
    "Layers": ("table.shaded", "upstream by layer"),
    "Confusion matrices": ("table.shaded", "emodb, clean"),
    "Word errors": ("canvas", "UAR over WER"),
    "Cost": ("canvas", "1 of 2 rows are on the Pareto front"),
    "Notes": ("li", "out of memory"),
}
"""What each view draws, and a text in it."""


def test_every_view_has_a_figure_and_its_numbers(
    visit: Open, filled: dict[str, Path]
) -> None:
    page = visit()

    for view, (drawn, text) in VIEWS.items():
        page.get_by_role("link", name=view).click()
        page.wait_for_selector(drawn)
        expect(page.locator("#main")).to_contain_text(text)
        for figure in page.locator("figure:has(canvas)").all():
            picture = figure.get_by_role("img")
            expect(picture).to_have_attribute("aria-label", re.compile("numbers"))
            assert figure.locator("details tbody tr").count() > 0


def test_word_errors_of_two_protocols_or_corpora_are_figures_of_their_own(
    visit: Open, add: Add
) -> None:
    recognition = {"measure": "WER", "rate": 0.2}
    for study in ({}, {"protocol": "paper+oracle"}, {"corpus": "casia"}):
        for condition in ("clean", "park@0"):
            add("whisper", condition=condition, recognition=recognition, **study)
    page = visit()

    page.get_by_role("link", name="Word errors").click()

    expect(page.locator("figure")).to_have_count(3)
    for text in (
        "emodb, probe v1: 2 cells",
        "emodb, paper+oracle v1, chosen on test: 2 cells",
        "casia, probe v1: 2 cells",
    ):
        expect(page.locator("#main")).to_contain_text(text)


@pytest.mark.parametrize("view", ["SNR curves", "Layers", "Confusion matrices", "Cost"])
def test_a_score_that_is_too_optimistic_is_named_above_its_figures(
    view: str, visit: Open, add: Add
) -> None:
    for layer, snr in product((1, 2), (0, 5)):
        add(
            "whisper",
            f"single:layer={layer}",
            f"park@{snr}",
            protocol="paper+oracle",
            costs={"extraction_seconds": 1.0, "training_seconds": 1.0},
        )
    page = visit()

    page.get_by_role("link", name=view).click()

    expect(page.locator("figcaption").first).to_contain_text("chosen on test")


def test_the_pareto_front_drawn_is_the_one_that_was_computed(
    visit: Open, add: Add
) -> None:
    # To two digits both take 100 s, so that the better one beats the other.
    rivals = ("mean", "11110000", 100.4), ("last", "11111110", 104.9)
    for head, right, seconds in rivals:
        times = {"extraction_seconds": seconds, "training_seconds": 0.0}
        add(head=head, right=right, costs=times)
    page = visit()

    page.get_by_role("link", name="Cost").click()

    expect(page.locator("#main")).to_contain_text("1 of 2 rows are on the Pareto front")


def test_the_keyboard_reaches_filters_headers_rows_and_cells(
    visit: Open, filled: dict[str, Path]
) -> None:
    page = visit()
    reached = []

    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.matches(':focus-visible') && "
                "(document.activeElement.id || document.activeElement.className"
                " || document.activeElement.type || document.activeElement.hash)"
            )
        )
    page.locator(".tabulator-header button.sort").first.focus()
    page.keyboard.press("Enter")
    rising = shown(page)
    page.get_by_label("compare mel mean").focus()
    page.keyboard.press("Space")

    assert reached[0] == "skip"
    assert reached.index("theme") < reached.index("filter-upstream")
    assert reached.index("filter-upstream") < reached.index("sort")
    assert reached.index("sort") < reached.index("checkbox")
    assert any(str(one).startswith("#cell=") for one in reached)
    assert rising == sorted(rising)
    expect(page.get_by_label("compare mel mean")).to_be_checked()


def test_a_phone_never_scrolls_sideways(visit: Open, filled: dict[str, Path]) -> None:
    page = visit(width=360)

    wide = {}
    for address in addresses(page):
        go(page, address)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")

    assert set(wide.values()) == {360}


def test_colours_follow_the_system_and_the_switch(
    visit: Open, filled: dict[str, Path]
) -> None:
    light, dark = "rgb(255, 255, 255)", "rgb(18, 20, 23)"
    page = visit()
    body = page.locator("body")

    expect(body).to_have_css("background-color", light)
    page.emulate_media(color_scheme="dark")
    expect(body).to_have_css("background-color", dark)
    page.click("#theme")
    expect(body).to_have_css("background-color", light)
    page.reload()

    expect(body).to_have_css("background-color", light)


def test_ties_ranks_and_a_reference_are_shown_beside_the_numbers(
    visit: Open, filled: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mel, whisper = Row("mel", "mean"), Row("whisper", "mean")

    def judged(*arguments: Any, **options: Any) -> SummaryTable:
        table = summary_table(*arguments, **options)
        against = Difference(0.125, 0.01, 0.25, 0.04)
        entries = dict(table.entries)
        for row in (mel, whisper):
            entry = entries[row, CLEAN]
            scores = {
                name: replace(score, tied=True, difference=against)
                for name, score in entry.scores.items()
            }
            entries[row, CLEAN] = replace(entry, scores=scores)
        mean = {whisper: Estimate(1.25, 1.0, 1.8), mel: Estimate(1.75, 1.2, 2.0)}
        ranks = Ranks(mean, table.columns, 1.1, [[whisper, mel]])
        return replace(table, entries=entries, reference=mel, ranks_by={"uar": ranks})

    monkeypatch.setattr("nserbench.leaderboard.page.write.summary_table", judged)
    page = visit()

    first, other = (
        page.locator(".tabulator-row", has_text=re.compile(f"{name}\\s*mean"))
        for name in ("whisper", "mel")
    )
    difference = first.locator(".difference")
    expect(difference).to_have_text("+12.5 [+1.0, +25.0], p 0.040")
    expect(first.locator(".value").first).to_have_class("value best")
    expect(other.locator(".value").first).to_have_class("value tied")
    page.get_by_role("link", name="Notes").click()
    expect(page.locator("tbody tr")).to_have_text(
        ["whisper \u00d7 mean1.21.0\u20131.8a", "mel \u00d7 mean1.81.2\u20132.0a"]
    )
