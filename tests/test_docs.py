"""Pages agree with the code, and their links have a target."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scaling
import yaml
from pages import PAGES, ROOT

from nserbench.benchmark.running.makespan import TimedTask, makespan
from nserbench.settings import KNOWN, READ, variable


def test_features_first_takes_longer_than_tasks_in_the_order_of_their_needs() -> None:
    work = [
        TimedTask("a", 2),
        TimedTask("b", 3),
        TimedTask("c", 4, ["a"]),
        TimedTask("d", 1, ["a", "b"]),
    ]

    assert makespan(work, 2) == 6
    assert scaling.features_first(work, 2) == 7
    assert scaling.features_first(work, 9) == 7


def test_a_page_that_is_out_of_date_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    generate = runpy.run_path(str(ROOT / "docs/generate.py"))
    blocks = {
        "cli.md": ("cli",),
        "plugins.md": ("plugin", "project"),
        "scaling.md": ("costs", "workers"),
    }
    for name, wanted in {**blocks, "README.md": ("plugin",)}.items():
        marks = (f"<!-- generated: {one} -->\n<!-- end: {one} -->" for one in wanted)
        (tmp_path / name).write_text("\n".join(["before", *marks, "after"]))
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    generate["main"].__globals__.update(DOCS=tmp_path, ROOT=tmp_path, card_pages=dict)

    stale = generate["main"](["--check"])
    generate["main"]([])
    fresh = generate["main"](["--check"])

    assert (stale, fresh) == (1, 0)
    assert f"{tmp_path / 'cli.md'} is out of date" in capsys.readouterr().err
    assert (tmp_path / "plugins.md").read_text().startswith("before\n")


def named(menu: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the pages of a menu and of its submenus."""
    for entry in menu:
        for page in entry.values():
            yield from [page] if isinstance(page, str) else named(page)


def test_every_page_is_in_the_menu() -> None:
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    there = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}
    written_later = {"board/index.html"}  # by `make board-page`
    assert sorted(named(menu)) == sorted(there | written_later)


def test_the_page_of_settings_names_every_table_and_variable() -> None:
    page = (ROOT / "docs/settings.md").read_text()

    names = [
        *(f"`[{table}]`" for table in KNOWN),
        *(f"`{variable(name)}`" for name in READ),
    ]
    assert [name for name in names if name not in page] == []


def test_every_upstream_head_and_corpus_has_a_page() -> None:
    pages = runpy.run_path(str(ROOT / "docs/generate.py"))["card_pages"]()

    assert [page for page in pages if not page.is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_have_a_target(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [name for name in targets if not (page.parent / name).exists()] == []
