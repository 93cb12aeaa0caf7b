"""The addresses of all that a page can show."""

from playwright.sync_api import Page

_ADDRESSES = """() => {
    const { views, index } = nserbench;
    const rows = index.rows.slice(0, 3).map((names) => ['row', names.join(' x ')]);
    return [
        ...Object.keys(views).map((name) => `view=${name}`),
        ...index.cells.map(({ id }) => `cell=${id}`),
        `view=compare&${new URLSearchParams(rows)}`,
    ];
}"""


def addresses(page: Page) -> list[str]:
    """Return the address of each view, each cell, and a comparison of three rows."""
    found: list[str] = page.evaluate(_ADDRESSES)
    return found


def go(page: Page, address: str) -> None:
    """Change the address, and wait until the view is drawn."""
    page.evaluate("where => { location.hash = where }", address)
    page.wait_for_selector("#main > div > *", state="attached")
    page.wait_for_timeout(40)
