"""What the views show of small results, on a screen and on paper."""

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from page_views import addresses, go
from playwright.sync_api import Page, expect

Add = Callable[..., Path]
Open = Callable[..., Page]


def tabs(page: Page) -> list[str]:
    return page.locator("#views a").all_inner_texts()


def test_clean_speech_is_the_last_point_of_an_snr_curve(shared: Open) -> None:
    page = shared(address="view=snr")

    page.locator("summary", has_text="Numbers").first.click()

    table = page.locator("figure table").first
    heads = table.locator("thead th").all_inner_texts()
    assert heads == ["row", "5", "clean"]
    expect(table.locator("tbody tr", has_text="mel")).to_contain_text("62.5")
    expect(page.locator("#main")).to_contain_text("Clean speech is the point at the")


def test_the_curve_shown_of_an_upstream_is_the_one_with_the_most_points(
    visit: Open, add: Add
) -> None:
    """A row without the loudest noise has the higher mean, and says less."""
    for snr in (-10, 0):
        add("whisper", "mean", f"park@{snr}", "11101010")
    add("whisper", "last", "park@0", "11111111")
    page = visit()
    go(page, "view=snr")

    page.locator("summary", has_text="Numbers").first.click()

    rows = page.locator("figure tbody th")
    expect(rows).to_have_text(["whisper \u00d7 mean"])


def test_layer_curves_of_chosen_conditions_are_in_one_figure(shared: Open) -> None:
    page = shared(address="view=layers")

    both = page.locator("figure tbody th").all_text_contents()
    page.get_by_role("checkbox", name="park@5").uncheck()

    assert "clean: whisper \u00d7 single" in both
    assert "park@5: whisper \u00d7 single" in both
    expect(page.locator("figure tbody th")).to_have_text(
        ["whisper \u00d7 single", "=1_a \u00d7 single"]
    )
    assert page.evaluate("location.hash") == "#view=layers&overlay=clean"
    expect(page.locator("figure")).to_have_count(1)
    scale = page.locator(".scale")
    expect(scale).to_have_text("Colours: 50.0 % (chance)100 %")


def test_a_number_on_a_corpus_seen_in_training_is_marked_and_explained(
    shared: Open,
) -> None:
    page = shared()
    marked = page.locator("#leaderboard a", has_text="\N{SECTION SIGN}")

    count = marked.count()
    marked.first.click()

    assert count == 2
    expect(page.locator("#main")).to_contain_text("was trained on this corpus")


def test_a_view_with_nothing_to_show_is_not_offered(visit: Open, add: Add) -> None:
    add(costs={})

    page = visit()
    go(page, "view=layers")

    assert tabs(page) == ["Leaderboard", "Confusion matrices", "Sources", "Notes"]
    expect(page.locator("#leaderboard")).to_be_visible()


def test_sources_lead_to_paper_checkpoint_and_licence(shared: Open) -> None:
    page = shared(address="view=sources")

    line = page.locator("tbody tr", has_text="whisper")
    links = {
        link.inner_text(): link.get_attribute("href")
        for link in line.get_by_role("link").all()
    }

    assert links["arXiv:2212.04356"] == "https://arxiv.org/abs/2212.04356"
    assert links["MIT"] == "https://spdx.org/licenses/MIT.html"
    checkpoint = links["openai/whisper-small"]
    assert checkpoint
    assert checkpoint.startswith("https://huggingface.co/openai/whisper-small/tree/")
    expect(line).to_contain_text("37.8\u00a0M")
    main = page.locator("#main")
    expect(main).to_contain_text("@software{nserbench2026,")
    expect(main).to_contain_text("Of plugins that are not installed")
    expect(main).to_contain_text("=1_a")
    expect(page.locator("header")).to_contain_text(
        "Newest result: 22\u00a0November\u00a02026"
    )


def test_a_link_leads_to_a_web_page_or_nowhere(shared: Open) -> None:
    page = shared()
    unsafe = ("javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "x:y")

    found = page.evaluate(
        "all => all.map((href) => nserbench.el('a', { href }).getAttribute('href'))",
        [*unsafe, "https://a.org/b", "predictions/x.csv", "#view=snr"],
    )

    assert found == [
        *[None] * len(unsafe),
        *("https://a.org/b", "predictions/x.csv", "#view=snr"),
    ]


@pytest.mark.parametrize("width", [400, 1400])
def test_the_rule_below_the_header_ends_where_the_rows_do(
    shared: Open, width: int
) -> None:
    page = shared(width=width, address="condition=clean")

    ends = page.evaluate(
        """() => {
            const right = (one) => one.getBoundingClientRect().right;
            const heads = [...document.querySelectorAll('.tabulator-col')];
            return [
                Math.max(...heads.map(right)),
                right(document.querySelector('.tabulator-row')),
            ];
        }"""
    )

    assert ends[0] == pytest.approx(ends[1], abs=1)
    header = page.locator(".tabulator-header")
    expect(header).to_have_css("border-bottom-width", "0px")


def test_a_phone_shows_the_first_score_whole(shared: Open) -> None:
    page = shared(width=400)

    score = page.locator(".tabulator-row .tabulator-cell[tabulator-field^=c]").first
    box = score.bounding_box()

    assert box
    assert box["x"] + box["width"] <= 400 - 14
    assert score.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_tabs_scroll_sideways_on_a_phone_to_the_open_view(shared: Open) -> None:
    page = shared(width=400, address="view=notes")

    bar = page.locator("#views").bounding_box()
    tab = page.get_by_role("link", name="Notes").bounding_box()

    assert bar
    assert tab
    assert bar["height"] < 50
    assert tab["x"] + tab["width"] <= 400


def test_paper_has_the_whole_table_without_boxes_arrows_and_buttons(
    shared: Open,
) -> None:
    page = shared()
    page.emulate_media(color_scheme="dark")

    page.emulate_media(media="print", color_scheme="dark")

    paper = page.locator(".paper")
    expect(paper.locator("tbody tr")).to_have_count(5)
    expect(paper.locator("tbody tr").first).to_contain_text("whisper:language=de")
    for kind in ("button", "input", "select", "nav", ".tabulator"):
        assert not any(one.is_visible() for one in page.locator(kind).all())
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    page.emulate_media(media="screen", color_scheme="dark")
    expect(paper.locator("tr")).to_have_count(0)
    expect(page.locator("body")).to_have_css("background-color", "rgb(18, 20, 23)")


def test_axe_finds_nothing_serious_in_any_view(shared: Open) -> None:
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        pytest.skip("AXE_CORE does not name the file axe.min.js of npm's axe-core")
    page = shared()
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    cells = [one for one in addresses(page) if one.startswith("cell=")]
    others = [one for one in addresses(page) if one not in cells]

    found = []
    shown = [*others, *cells[:1], cells[-1], "text=no+such+name"]
    for is_dark, address in product((False, True), shown):
        page.emulate_media(color_scheme="dark" if is_dark else "light")
        go(page, address)
        result = page.evaluate("axe.run({ preload: false })")
        found += [(address, one["impact"], one["id"]) for one in result["violations"]]

    assert [one for one in found if one[1] in ("serious", "critical")] == []


def test_the_mean_leaves_out_scores_of_another_protocol(visit: Open, add: Add) -> None:
    details = {"name": "probe+oracle", "version": 1, "recipe": {"epochs": 50}}
    for head, right in (("mean", "11101110"), ("fc", "10101010")):
        for condition in ("clean", "park@5"):
            add("mel", head, condition, right)
        add("mel", head, protocol="probe+oracle", protocol_details=details)

    page = visit()

    means = page.locator(".tabulator-row [tabulator-field=mean]").all_inner_texts()
    assert len(page.locator(".tabulator-row").all()) == 2
    assert [text.strip() for text in means] == ["75.0", "50.0"]
