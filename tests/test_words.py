"""The words of docs/architecture.md: what is named how, and what is never written."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "nserbench",
    "benchmark",
    "upstreams",
    "downstreams",
    "corpora",
    "leaderboard",
)
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def modules() -> Iterator[Path]:
    """Yield the modules of the product, each once."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            links = [part for part in file.parents if part.is_symlink()]
            if not links:
                yield file


def unwanted_words() -> list[str]:
    """Return the last column of the glossary in docs/architecture.md."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = text.split("## Words", 1)[1].split("## ", 1)[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if "|" in line]
    phrases = [phrase.strip() for row in rows[2:] for phrase in row[2].split(",")]
    return [phrase for phrase in phrases if phrase]


@cache
def texts() -> list[tuple[str, str]]:
    """Return the strings of all modules, docstrings too, each with its place."""
    return [
        (f"{file.relative_to(ROOT)}:{node.lineno}", node.value)
        for file in modules()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@cache
def lines_of_pages() -> list[tuple[str, str]]:
    """Return the lines of all pages, each with its place, but not the glossary."""
    glossary = ROOT / "docs/architecture.md"
    return [
        (f"{page.relative_to(ROOT)}:{number}", line)
        for page in PAGES
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        if not (page == glossary and line.startswith("|"))
    ]


def test_no_class_name_stands_for_two_things() -> None:
    places = defaultdict(list)
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(ROOT)))

    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert twice == {}


def test_no_docstring_begins_with_give() -> None:
    begins = [place for place, text in texts() if re.match(r"Gives? ", text)]

    assert begins == []


@pytest.mark.parametrize("phrase", unwanted_words())
def test_no_text_uses_a_word_that_the_glossary_replaces(phrase: str) -> None:
    pattern = re.compile(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", re.IGNORECASE)

    in_code = [place for place, text in texts() if " " in text and pattern.search(text)]
    in_pages = [place for place, line in lines_of_pages() if pattern.search(line)]

    assert in_code + in_pages == []
