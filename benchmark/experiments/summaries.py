"""Summaries of the experiments for `nserbench list`, without slow imports."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent
NUMBERS = range(1, 8)


def summaries() -> list[Mapping[str, str]]:
    """Return ``name``, ``summary`` and ``shows`` of each experiment.

    ``shows`` lists the tables and figures of the paper that it makes.
    """
    return [_summary(number) for number in NUMBERS]


def _summary(number: int) -> Mapping[str, str]:
    content = tomllib.loads((FOLDER / f"{number}.toml").read_text(encoding="utf-8"))
    shows = ", ".join(item["name"] for item in content["report"])
    return {"name": str(number), "summary": content["title"], "shows": shows}
