"""Reads the blocks of the pages, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the blocks of some languages of a page, in order."""
    wanted = "|".join(languages)
    pattern = rf"^```(?:{wanted})\n(.*?)^```"
    return re.findall(pattern, page.read_text(), re.MULTILINE | re.DOTALL)


def with_blocks(language: str) -> list[Path]:
    """Return the pages that have blocks of a language."""
    return [page for page in PAGES if blocks(page, language)]


def lines(block: str) -> list[str]:
    """Return the lines that are typed after a prompt."""
    joined = block.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def file_name(block: str) -> str | None:
    """Return the name of the file that a block is, if its first line has one."""
    named = re.match(r"# (\S+\.(?:py|toml|csv|sh))\n", block)
    return named[1] if named else None


def typed(page: Path, *languages: str) -> Iterator[str]:
    """Yield each line that a page has the reader type, with the page's variables.

    Args:
        page: The page.
        languages: Those of other blocks to yield whole, in the order of the page.
    """
    variables: dict[str, str] = {}
    for block in blocks(page, "console", *languages):
        if file_name(block):
            yield block
        for line in lines(block):
            if assigned := re.fullmatch(r"(\w+)=(.*)", line):
                variables[f"${assigned[1]}"] = shlex.split(assigned[2])[0]
                continue
            for name, value in variables.items():
                line = line.replace(name, value)
            yield line


def words_of(line: str) -> list[str]:
    """Return the words of the first program of a line, without comments."""
    return shlex.split(re.split("[|>]", line)[0], comments=True)
