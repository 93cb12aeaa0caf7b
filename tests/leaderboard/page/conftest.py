"""A browser for the page, and what it complains of."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from nserbench.leaderboard.page.write import write_page

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one browser to all tests of a module."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, root: Path, tmp_path: Path) -> Iterator[Open]:
    """Give a function that writes the page of `root` and opens it.

    Afterwards nothing may have been complained of, or asked of another place.
    """
    site = tmp_path / "site"
    complaints: list[str] = []
    contexts = []

    def look_at(request: Request) -> None:
        if not request.url.startswith(site.as_uri() + "/"):
            complaints.append(f"asked for {request.url[:200]}")

    def open_page(width: int = 1200, **options: object) -> Page:
        index = write_page(root, site, ("uar", "f1_macro"), **options)
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", look_at)
        page.goto(index.as_uri())
        page.wait_for_selector("#leaderboard .tabulator-row")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
