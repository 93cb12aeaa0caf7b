"""A browser for the page, which fails a test on any error or foreign request."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from nserbench.leaderboard.page.write import write_page

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests of a module."""
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
    """Return a function that writes the page of `root` and opens it.

    At the end, the page must not have logged an error or loaded a file from elsewhere.
    """
    site = tmp_path / "site"
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def check_address(request: Request) -> None:
        if not request.url.startswith(site.as_uri() + "/"):
            errors.append(f"requested {request.url[:200]}")

    def open_page(width: int = 1200) -> Page:
        index = write_page(root, site, ("uar", "f1_macro"))
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", check_address)
        page.goto(index.as_uri())
        page.wait_for_selector("#leaderboard .tabulator-row")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
