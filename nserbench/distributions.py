"""The installed distributions that modules come from."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import PurePath


def distributions_of(top: str) -> tuple[str, ...]:
    """Return the names of the distributions that a top-level module comes from.

    They are those of `importlib.metadata.packages_distributions`, which takes most of a
    second, since it parses the path of each installed file. A process looks once.
    """
    return tuple(dict.fromkeys(found.name for found in _with_module(top)))


def modules_beside(top: str) -> frozenset[str]:
    """Return the top-level modules of the distributions that one comes from."""
    return frozenset(name for found in _with_module(top) for name in _modules(found))


@cache
def _with_module(top: str) -> list[Distribution]:
    """Return the distributions that have a top-level module."""
    line = re.compile(rf'^"?{re.escape(top)}(/.*)?\.py"?,', re.MULTILINE)

    def has_module(found: Distribution) -> bool:
        record = None if _declared(found) else found.read_text("RECORD")
        return bool(line.search(record)) if record else top in _modules(found)

    return [found for found in distributions() if has_module(found)]


def _declared(found: Distribution) -> list[str]:
    return (found.read_text("top_level.txt") or "").split()


def _modules(found: Distribution) -> set[str]:
    """Return the top-level modules of a distribution: declared, else of its files."""
    if declared := _declared(found):
        return set(declared)
    files = [PurePath(file) for file in found.files or () if file.suffix == ".py"]
    return {file.parts[0].removesuffix(".py") for file in files}
