"""What the experiments are, for `nserbench list`, which is to answer at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent
NUMBERS = range(1, 8)


def summaries() -> list[Mapping[str, str]]:
    """Give ``name``, ``summary`` and ``shows`` of each experiment.

    The last is the paper's tables and figures that it makes.
    """
    return [_summary(number) for number in NUMBERS]


def _summary(number: int) -> Mapping[str, str]:
    content = tomllib.loads((FOLDER / f"{number}.toml").read_text(encoding="utf-8"))
    shows = ", ".join(one["name"] for one in content["report"])
    return {"name": str(number), "summary": content["title"], "shows": shows}
