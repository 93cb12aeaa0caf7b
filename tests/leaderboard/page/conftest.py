"""A browser for the page, which fails a test on any error or foreign request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browsers import started_browser
from playwright.sync_api import Browser, BrowserContext, Page, Request
from small_results import adder

from nserbench.leaderboard.page.write import write_page

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests of a module.

    Another scope would leave its event loop open while other tests of the process run.
    """
    yield from started_browser()


@contextmanager
def opening(browser: Browser, site: Path) -> Iterator[Open]:
    """Yield a function that opens a page that is written.

    At the end, the page must not have logged an error or loaded a file from elsewhere.
    """
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def check_address(request: Request) -> None:
        own = (site.as_uri() + "/", "blob:")
        if not request.url.startswith(own):
            errors.append(f"requested {request.url[:200]}")

    def open_page(width: int = 1200, address: str = "") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", check_address)
        page.goto(f"{(site / 'index.html').as_uri()}#{address}")
        page.wait_for_selector("#main > div > *", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def visit(browser: Browser, root: Path, tmp_path: Path) -> Iterator[Open]:
    """Return a function that writes the page of `root` and opens it; see `opening`."""
    site = tmp_path / "site"

    with opening(browser, site) as open_page:

        def write_and_open(width: int = 1200) -> Page:
            write_page(root, site, ("uar", "f1_macro"))
            page = open_page(width)
            page.wait_for_selector("#leaderboard .tabulator-row")
            return page

        yield write_and_open


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that all tests of a module read: three rows, one lacking a score.

    Two rows are ranked, of which one was trained on the corpus. There are a noise,
    single layers, word errors and costs, and names that a spreadsheet or LaTeX would
    read as commands.
    """
    folder = tmp_path_factory.mktemp("shared")
    add = adder(folder / "results")
    costs = {"extraction_seconds": 3.0, "training_seconds": 1.0}
    trained = {"corpora": ["emodb"], "complete": False, "source": "its paper"}
    parameters = {"trainable_parameters": 1_540, "frozen_parameters": 37_760_640}
    for condition, right in (("clean", "11101010"), ("park@5", "11111010")):
        add("mel", "mean", condition, right)
        add(
            "whisper:language=de",
            "mean",
            condition,
            "11111110",
            recognition={"measure": "WER", "rate": 0.2},
            costs={**costs, **parameters},
            notes={"trained_on": trained},
        )
        for layer in (1, 2):
            add("whisper", f"single:layer={layer}", condition, "11101110")
    add("=1_a", "single:layer=1", "clean", "11000010")
    add("=1_a", "single:layer=1", "park@5", None, status="failed", reason="disk full")
    write_page(folder / "results", folder / "site", ("uar", "f1_macro"))
    return folder / "site"


@pytest.fixture
def shared(browser: Browser, shared_site: Path) -> Iterator[Open]:
    """Return a function that opens `shared_site` at an address; see `opening`."""
    with opening(browser, shared_site) as open_page:
        yield open_page
