"""Tables in GitHub's dialect of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nserbench.leaderboard.render.layout import plain


def markdown_row(cells: Iterable[str]) -> str:
    """Give a row of a table; names in it are to be `escaped` before."""
    return f"| {' | '.join(cells)} |"


def markdown_rule(names: int, numbers: int) -> str:
    """Give the line below the heads: columns of names, then columns of numbers."""
    return markdown_row(["---"] * names + ["---:"] * numbers)


def escaped(text: str) -> str:
    """Keep Markdown and HTML from reading anything into a name."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain(text))
    return re.sub("[&<>]", lambda found: entities[found[0]], marked)
