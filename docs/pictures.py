"""Photograph the table of a leaderboard's page, light and dark, for the README.

nserbench leaderboard results --format html -o site
python docs/pictures.py site
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 860, 1200  # CSS pixels of the window
TABLE = ".tabulator"
ROW = ".tabulator-row"


def photograph(site: Path, folder: Path, chromium: str) -> list[Path]:
    """Write ``leaderboard-light.png`` and ``leaderboard-dark.png``, and return them."""
    pictures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT},
                device_scale_factor=1.75,
                color_scheme="light" if scheme == "light" else "dark",
            )
            page.goto((site / "index.html").resolve().as_uri())
            page.wait_for_selector(ROW)
            pictures.append(folder / f"leaderboard-{scheme}.png")
            page.locator(TABLE).first.screenshot(path=pictures[-1])
        browser.close()
    return pictures


def main(arguments: list[str]) -> int:
    """Photograph the page in the folder that is given."""
    chromium = shutil.which("chromium")
    if len(arguments) != 1 or chromium is None:
        print("usage: python docs/pictures.py SITE, with chromium in PATH")
        return 2
    FOLDER.mkdir(exist_ok=True)
    for picture in photograph(Path(arguments[0]), FOLDER, chromium):
        print(picture, f"{picture.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
