"""Results made to break the page, and results that lack what they need not have."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page_views import addresses, go
from playwright.sync_api import Page, expect

from nserbench.errors import BadResult
from nserbench.leaderboard.page.write import write_page

Add = Callable[..., Path]
Open = Callable[..., Page]
TAG = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='t'\">"
)


def visit_all(page: Page) -> None:
    for address in addresses(page):
        go(page, address)


def test_markup_in_names_is_shown_as_text(visit: Open, add: Add) -> None:
    names = {"corpus": f"emodb{TAG}", "protocol": f"probe{TAG}"}
    for condition in (f"{TAG}@0", f"{TAG}@5"):
        add(f"mel{TAG}", f"mean{TAG}", condition, **names)
        add("mel", "mean", condition, **names, notes={"<b>": TAG, "edition": TAG})
    add(f"mel{TAG}", "single:layer=1", "clean", **names, provenance={TAG: [TAG]})
    add("mel", "last", right=None, status="failed", reason=TAG, **names)

    page = visit()
    text = page.locator(".row-name").all_inner_texts()
    visit_all(page)

    assert any(TAG in one for one in text)
    assert page.title() == "nserbench leaderboard"
    assert page.locator("main img, main script, main b").count() == 0


def test_a_label_of_10_000_characters_stays_in_its_cell(visit: Open, add: Add) -> None:
    add("x" * 10_000, "y" * 10_000, "park@0")
    add("mel", "mean", "park@0", corpus="z" * 10_000)

    page = visit(width=360)
    tall = page.locator(".tabulator-row").first.bounding_box()
    wide = set()
    for address in addresses(page):
        go(page, address)
        wide.add(page.evaluate("document.documentElement.scrollWidth"))

    assert tall is not None
    assert tall["height"] < 200
    assert wide == {360}


def test_optional_fields_may_be_missing(visit: Open, add: Add) -> None:
    bare = {"protocol_details": {}, "costs": {"seconds": None}}
    add(**bare, speakers=("ann",) * 8)
    add("mel", "last", **bare, speakers=("ann",) * 8)
    add("mel", "single:layer=1", **bare)

    page = visit()
    visit_all(page)

    expect(page.locator("#main")).to_contain_text("no interval: one independent unit")
    expect(page.locator("#main")).to_contain_text(
        "no interval: tested on different utterances"
    )


def test_facts_of_the_wrong_kind_are_shown_or_left_out(visit: Open, add: Add) -> None:
    add(
        notes={"training": {"1": None, "2": {"losses": "x"}}, "choices": [[{}], None]},
        costs={"peak_memory_bytes": None},
        recognition={},
    )

    page = visit()
    page.locator(".tabulator-row a").first.click()

    expect(page.locator("#main")).to_contain_text("Provenance")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recognition", {"rate": 0.5}),
        ("costs", {"extraction_seconds": "long", "training_seconds": 1}),
        ("costs", {"peak_memory_bytes": "much"}),
        ("notes", {"hours": float("nan")}),
    ],
)
def test_a_field_that_cannot_be_used_is_refused_by_folder(
    root: Path, add: Add, tmp_path: Path, field: str, value: object
) -> None:
    folder = add()
    file = folder / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))

    with pytest.raises(BadResult, match=re.escape(str(folder))):
        write_page(root, tmp_path / "site", ["uar"])


def test_unknown_addresses_open_a_view(visit: Open, add: Add) -> None:
    add()
    page = visit()

    texts = []
    for place in (
        *("cell=../../x", "cell=%zz", "view=compare&row=mel+x+gone", "%22%3E"),
        *("view=nothing", "view=__proto__", "view=snr", "metric=x&sort=y&head=z"),
    ):
        go(page, place)
        texts.append(page.locator("#main").inner_text())

    assert all("This page has no such cell." in text for text in texts[:2])
    assert texts[2] == "Tick two or more rows of the leaderboard to compare them."
    assert all("mel" in text for text in texts[3:])


def test_a_result_of_a_newer_version_is_refused_once(root: Path, add: Add) -> None:
    folder = add()
    file = folder / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 99}))

    with pytest.raises(BadResult, match="has the schema 99") as caught:
        write_page(root, root / "site", ["uar"])

    assert "a newer nserbench wrote it" in str(caught.value)
    assert not (root / "site").exists()
