"""What the reader has chosen is in the address, and comes back from it."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from page_views import go
from playwright.sync_api import Page, expect

Open = Callable[..., Page]


@pytest.fixture
def page(shared: Open) -> Page:
    return shared(address="")


def chosen(page: Page) -> dict[str, list[str]]:
    return parse_qs(page.evaluate("location.hash.slice(1)"))


def rows(page: Page) -> list[str]:
    names = page.locator(".tabulator-row .row-name .text").all_inner_texts()
    return [" ".join(name.split()) for name in names]


def test_metric_filters_order_and_ticked_rows_are_in_the_address(page: Page) -> None:
    page.select_option("#metric", label="F1")
    page.select_option("select[name=head]", "mean")
    page.fill("input[name=text]", "m")
    page.locator(".tabulator-header button.sort", has_text="park@5").click()
    page.get_by_label("compare mel mean").check()

    assert chosen(page) == {
        "metric": ["f1_macro"],
        "head": ["mean"],
        "text": ["m"],
        "sort": ["emodb park@5 probe v1"],
        "order": ["desc"],
        "row": ["mel x mean"],
    }


def test_a_copied_link_shows_the_same(page: Page) -> None:
    go(
        page,
        "metric=accuracy&head=mean&sort=name&order=desc&row=whisper:language%3Dde+x+mean",
    )

    copied = page.context.new_page()
    copied.goto(page.url)
    copied.wait_for_selector(".tabulator-row")

    assert copied.evaluate("document.getElementById('metric').value") == "accuracy"
    assert copied.locator("select[name=head]").input_value() == "mean"
    assert rows(copied) == ["whisper:language=de mean", "mel mean"]
    expect(copied.get_by_label("compare whisper:language=de mean")).to_be_checked()


def test_back_and_forward_go_through_what_was_chosen(page: Page) -> None:
    page.select_option("#metric", label="accuracy")
    page.locator(".tabulator-header button.sort", has_text="upstream").click()
    page.get_by_role("link", name="SNR curves").click()
    page.get_by_role("link", name="Leaderboard").click()
    page.locator(".tabulator-row a").first.click()
    opened = page.locator("#main h2").first.inner_text()

    first = page.locator(".tabulator-row .upstream").first
    metric = page.locator("#metric")

    assert opened.startswith("=1_a")
    page.go_back()
    expect(first).to_have_text("=1_a")
    for _ in range(3):
        page.go_back()
    expect(first).to_have_text("whisper:language=de")
    expect(metric).to_have_value("accuracy")
    page.go_back()
    expect(metric).to_have_value("uar")
    page.go_forward()
    expect(metric).to_have_value("accuracy")


def test_links_keep_the_filters_and_rows_that_were_chosen_since(page: Page) -> None:
    page.select_option("select[name=condition]", "park@5")
    page.get_by_label("compare mel mean").check()

    page.get_by_role("link", name="Notes").click()
    page.get_by_role("link", name="Leaderboard").click()

    expect(page.locator("select[name=condition]")).to_have_value("park@5")
    expect(page.get_by_label("compare mel mean")).to_be_checked()


def test_the_skip_link_keeps_what_was_chosen(page: Page) -> None:
    go(page, "metric=accuracy")

    page.locator(".skip").focus()
    page.keyboard.press("Enter")

    assert chosen(page) == {"metric": ["accuracy"]}
    assert page.evaluate("document.activeElement.id") == "main"


def test_mean_and_rank_come_first_and_say_why_they_are_missing(page: Page) -> None:
    heads = page.locator(".tabulator-header button.sort")
    line = page.locator(".tabulator-row", has_text="=1_a")

    assert " ".join(heads.nth(1).inner_text().split()) == "mean rank"
    assert " ".join(heads.nth(2).inner_text().split()) == "mean UAR"
    rank, mean = heads.nth(1), heads.nth(2)
    expect(rank).to_have_attribute(
        "title", re.compile("mean rank by UAR over 2 columns")
    )
    expect(mean).to_have_attribute(
        "title", re.compile("of 2 of the columns that are shown")
    )
    expect(line.locator("[tabulator-field=mean] .none")).to_have_attribute(
        "title", "no mean: the row has no score in 1 of the 2 columns averaged"
    )
    best = page.locator(".tabulator-row").first
    expect(best.locator("[tabulator-field=mean]")).to_have_text("87.5")
    page.select_option("#metric", label="accuracy")
    expect(rank).to_have_attribute("title", re.compile("mean rank by accuracy"))
    page.select_option("select[name=condition]", "clean")
    expect(heads).to_have_count(3)


def test_recordings_of_two_names_are_averaged_once(
    visit: Open, add: Callable[..., Path]
) -> None:
    for corpus, right in (("emodb", "11111111"), ("mine", "11110000")):
        for condition in ("clean", "park@5"):
            add(
                condition=condition,
                corpus=corpus,
                right=right,
                provenance={"recordings": "a"},
            )

    shown = visit()

    mean = shown.locator(".tabulator-row [tabulator-field=mean]")
    expect(mean).to_have_text("100.0")
    shown.select_option("select[name=corpus]", "mine")
    expect(mean).to_have_text("50.0")
