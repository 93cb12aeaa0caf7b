"""The values of options: how a typed text becomes one, and how tables show it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from nserbench.paths import expanded_path
from nserbench.plain_data import number, whole_number

MOST_COUNT = 2**31 - 1
"""Largest whole number that an option takes; torch's sizes are no larger."""
MOST_SEEDS = 10_000
"""Largest number of seeds: each is a cell of its own, which a study holds in memory."""
MAX_ABS_SNR_DB = 100.0
"""Our bound in dB: beyond it float32 is too coarse for the sum of speech and noise."""

_FOLDERS = re.compile(r"(?:^|[\s,;+=:{('\"])(?:~?/[^/\s]+/|~[\w.-]*/|[A-Za-z]:[\\/])")


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts only these words.

    The parser raises ``ValueError`` for another word.
    """

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def yes_no(text: str) -> bool:
    """Return True for ``yes`` and False for ``no``.

    Raises:
        ValueError: if the text is another word.
    """
    return one_of("yes", "no")(text) == "yes"


def yes_no_label(value: bool) -> str:
    """Return ``yes`` or ``no``, as `yes_no` reads it."""
    return "yes" if value else "no"


def at_least(least: int) -> Callable[[str], int]:
    """Return a parser for whole numbers that are not below ``least``.

    The parser raises ``ValueError`` for another text.
    """

    def parse(text: str) -> int:
        try:
            return whole_number(text, least, MOST_COUNT)
        except ValueError as error:
            raise ValueError(f"must be a whole number, at least {least}") from error

    return parse


def fraction(text: str) -> float:
    """Return a number from 0 to below 1.

    Raises:
        ValueError: if the text is no such number.
    """
    try:
        value = number(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1.0:
        raise ValueError("must be a number from 0 to below 1")
    return value


def several(text: str) -> tuple[str, ...]:
    """Return the values of a text that joins them by ``+``.

    Raises:
        ValueError: if a value is empty or there twice.
    """
    parts = tuple(text.split("+"))
    if not all(parts) or len(set(parts)) != len(parts):
        raise ValueError("must be different values joined by +")
    return parts


def several_label(values: tuple[str, ...]) -> str:
    """Return values joined by ``+``, as `several` reads them."""
    return "+".join(values)


def path_label(value: str | Path) -> str:
    """Return the last part of a path, without its folders."""
    return Path(value).name


def parser_for(default: object) -> Callable[[str], Any]:
    """Return the parser for values of the type of a default; None is for text.

    Raises:
        TypeError: if there is none for this type.
    """
    if default is None or isinstance(default, str):
        return str
    if isinstance(default, tuple) and all(isinstance(part, str) for part in default):
        return several
    for kind, parse in _PARSERS:
        if isinstance(default, kind):
            return parse
    raise TypeError(
        f"an option whose default is {default!r} needs a function parse=, "
        "which turns a typed text into such a value"
    )


def plain_label(value: Any) -> str:
    """Return a value as its parser reads it; of a path the last part.

    Examples:
        >>> [plain_label(value) for value in (True, 0.5, ("a", "b"), Path("x/y.pt"))]
        ['yes', '0.5', 'a+b', 'y.pt']
    """
    if isinstance(value, bool):
        return yes_no_label(value)
    if isinstance(value, Path):
        return path_label(value)
    if isinstance(value, tuple):
        return several_label(tuple(map(str, value)))
    return str(value)


def refuse_folders(label: str, value: object) -> None:
    """Refuse a label that shows a folder of this machine, since tables are published.

    Raises:
        ValueError: if the label of a path has more than one part, or that of another
            value holds an absolute path.
    """
    parts = len(Path(label).parts) if isinstance(value, Path) else 1
    if parts > 1 or _FOLDERS.search(label):
        raise ValueError(
            f"{label!r} shows a folder of this machine, which no table may do\n"
            "  if it is a path: its plugin must declare the option with parse=Path, "
            "and without a label of its own"
        )


def content_digest(path: Path) -> str:
    """Return the digest of a file, or of all files of a folder; empty without any."""
    files = sorted(file for file in path.rglob("*")) if path.is_dir() else [path]
    digests = [
        _file_digest(file, (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
        for file in files
        if file.is_file() and (facts := file.stat())
    ]
    return hashlib.blake2b("".join(digests).encode(), digest_size=16).hexdigest()


@cache
def _file_digest(file: Path, facts: tuple[int, int, int]) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, hashlib.blake2b).hexdigest()


def _any_whole_number(text: str) -> int:
    try:
        return whole_number(text, -MOST_COUNT, MOST_COUNT)
    except ValueError as error:
        raise ValueError("must be a whole number") from error


def _any_number(text: str) -> float:
    try:
        return number(text)
    except ValueError as error:
        raise ValueError("must be a number") from error


_PARSERS: tuple[tuple[type, Callable[[str], Any]], ...] = (
    (bool, yes_no),  # before int, of which it is a kind
    (int, _any_whole_number),
    (float, _any_number),
    (Path, expanded_path),
)
