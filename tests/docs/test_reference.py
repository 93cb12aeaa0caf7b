"""The reference has every public name, hook and error, and every head its equation."""

import re

from pages import ROOT

import nserbench
from nserbench import errors
from nserbench.benchmark.plugins import hookspecs
from nserbench.benchmark.plugins.registry import Plugins

REFERENCE = "\n".join(
    page.read_text() for page in sorted(ROOT.glob("docs/reference/*.md"))
)
FOUND = set(re.findall(r"^::: (\S+)", REFERENCE, re.MULTILINE))
"""What the pages take from docstrings: objects, or modules with all their members."""


def test_every_public_name_is_in_the_reference() -> None:
    elsewhere = {
        "NserbenchError": "nserbench.errors",
        "__version__": None,  # a text
        "hookimpl": None,  # a marker of pluggy, shown with the hooks
        "leaderboard": "nserbench.leaderboard.leaderboard",
    }

    names = {elsewhere.get(name, f"nserbench.{name}") for name in nserbench.__all__}

    assert names - {None} <= FOUND


def test_a_page_of_docstrings_says_to_readers_of_its_source_where_the_text_is() -> None:
    pages = ROOT.glob("docs/reference/*.md")
    texts = {page.stem: page.read_text().split("\n::: ") for page in pages}

    silent = {
        name
        for name, (above, *below) in texts.items()
        if below and f"<code>site/reference/{name}.html</code>" not in above
    }

    assert silent == set()


def test_hooks_and_errors_are_shown_as_whole_modules() -> None:
    assert {hookspecs.__name__, errors.__name__} <= FOUND


def test_every_head_has_a_section_with_an_equation() -> None:
    page = (ROOT / "docs/reference/heads.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    equations = {
        section.split("`")[1]: section.count("$$")
        for section in sections
        if section.startswith("`")
    }

    heads = {card.name for card in Plugins(installed=False).downstreams}
    assert equations.keys() == heads
    assert all(count >= 2 and count % 2 == 0 for count in equations.values())
