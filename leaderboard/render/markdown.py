"""Tables in GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nserbench.leaderboard.render.layout import plain


def markdown_row(cells: Iterable[str]) -> str:
    """Return a row of a table; names in it must be `escaped` before."""
    return f"| {' | '.join(cells)} |"


def markdown_rule(names: int, numbers: int) -> str:
    """Return the line below the headers, for columns of names, then of numbers."""
    return markdown_row(["---"] * names + ["---:"] * numbers)


def escaped(text: str) -> str:
    """Escape the characters that Markdown or HTML would take as markup."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain(text))
    return re.sub("[&<>]", lambda match: entities[match[0]], marked)
