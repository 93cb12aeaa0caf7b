"""The site is built without a warning, and works from a disk."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import started_browser
from pages import ROOT
from playwright.sync_api import Browser, expect

FOREIGN = re.compile(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//')
"""A part of a page that a browser loads from another host."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built as `make docs` does, in a folder of its own."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")  # a link would be refused
    (folder / "nserbench").symlink_to(ROOT / "nserbench")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Return a browser."""
    yield from started_browser()


def test_the_site_has_every_page_and_loads_nothing_from_another_host(
    site: Path,
) -> None:
    pages = {page.relative_to(site): page.read_text() for page in site.rglob("*.html")}

    docs = ROOT / "docs"
    wanted = {
        page.relative_to(docs).with_suffix(".html") for page in docs.rglob("*.md")
    }
    assert wanted <= pages.keys()
    assert [name for name, text in pages.items() if FOREIGN.search(text)] == []


def test_the_search_works_from_a_disk(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))

    page.goto((site / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("layer adapter")

    expect(page.get_by_text("The L-adapter").first).to_be_visible(timeout=30_000)
    assert wrong == []
    assert [url for url in requests if not url.startswith(site.as_uri())] == []


def test_the_copy_button_takes_what_is_typed(site: Path, browser: Browser) -> None:
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    block = page.locator(".highlight").first

    block.hover()
    block.get_by_role("button").click()

    page.wait_for_function("async () => await navigator.clipboard.readText()")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == 2
    assert all(line.startswith("nserbench ") for line in lines)
