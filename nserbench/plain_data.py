"""Read numbers, JSON and TOML that somebody else wrote.

Python reads more than the formats allow: ``1_000`` and digits of other scripts as
numbers, NaN in JSON, whole numbers of any length. All text of files and of the command
line that becomes a number passes here.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nserbench.errors import NserbenchError

LARGEST = 2**64 - 1
"""Largest whole number, and the lowest but for its sign."""
MOST_CHARACTERS = 40
"""Characters of a number. The longest float64 that Python writes has 24."""

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_OF_NUMBERS = str.maketrans("", "", "0123456789.eE+-")
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}"""
)
"""A key that tomllib takes long for: its time grows with the square of the parts."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TOML_HINTS = {
    "Invalid value": 'write texts in quotation marks: name = "text"',
    r"Illegal character '\n'": "end the text with a quotation mark on the same line",
    'Expected "\'"': "end the text with a quotation mark on the same line",
    "Unterminated string": "end the text with a quotation mark on the same line",
    "Invalid hex value": r"write C:/folder in place of C:\folder",
    "Unescaped": r"write C:/folder in place of C:\folder",
    "Cannot overwrite a value": "the name stands twice in one table: keep one line",
    "Cannot declare": "the table stands twice: write all its entries in one place",
}
"""What to do, by what an error of tomllib has in it."""
_SHOWN = 40  # characters of a text in a message


def whole_number(text: str, least: int = 0, most: int = LARGEST) -> int:
    """Return a whole number within bounds, written in the digits 0 to 9.

    Raises:
        ValueError: if the text is something else, or the number out of bounds.
    """
    fits = len(text) <= MOST_CHARACTERS and _WHOLE.fullmatch(text)
    if fits and least <= (value := int(text)) <= most:
        return value
    bound = f"from {least} to {most}" if most < LARGEST else f"of at least {least}"
    raise ValueError(f"{shortened(text)} is not a whole number {bound}")


def number(text: str) -> float:
    """Return a finite number, written in the digits 0 to 9.

    Raises:
        ValueError: if the text is something else, or the number is not finite.
    """
    if len(text) <= MOST_CHARACTERS and _NUMBER.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    raise ValueError(f"{shortened(text)} is not a number")


def numbers(texts: Sequence[str]) -> list[float]:
    """Return what `number` returns for each text, in a third of the time.

    Raises:
        ValueError: if any text is not a finite number.
    """
    if not "".join(texts).translate(_OF_NUMBERS):
        with suppress(ValueError):
            values = list(map(float, texts))
            if all(map(math.isfinite, values)):
                return values
    return list(map(number, texts))


def is_whole(value: object, least: int = 0, most: int = LARGEST) -> bool:
    """Return whether a value of a file is a whole number within bounds, not a bool."""
    return type(value) is int and least <= value <= most


def shortened(text: str) -> str:
    """Return a text in quotation marks for a message, at most 40 characters of it."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def parse_json(text: str | bytes, *, lenient: bool = False) -> Any:
    """Return the content of a JSON text.

    Args:
        text: The JSON, as bytes in UTF-8, with or without a byte order mark.
        lenient: Whether NaN, infinity and lone surrogates are kept, for a caller that
            checks each value it uses and skips others.

    Raises:
        ValueError: if it is not JSON, is nested too deeply, or holds a number that is
            not finite or beyond `LARGEST`, or a lone surrogate, which no file can hold.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        content = json.loads(
            text,
            parse_int=_int,
            parse_float=None if lenient else _float,
            parse_constant=None if lenient else _constant,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not lenient and _SURROGATE.search(text):
        json.dumps(content, ensure_ascii=False).encode()  # UnicodeEncodeError
    return content


def read_toml(file: Path, error: type[NserbenchError]) -> dict[str, Any]:
    """Return the content of a TOML file, with or without a byte order mark.

    Raises:
        NserbenchError: of the given type, if the file cannot be read, is not TOML, is
            nested too deeply, or holds a number that is not finite or beyond `LARGEST`.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        if _LONG_KEY.search(text):
            raise ValueError("a key has more than 32 parts joined by dots")
        content = tomllib.loads(text)
    except OSError as problem:
        raise error(f"{file} cannot be read: {problem.strerror}") from problem
    except RecursionError as problem:
        raise error(f"{file} is not TOML: it is nested too deeply") from problem
    except ValueError as problem:  # also a UnicodeDecodeError
        raise error(f"{file} is not TOML: {problem}{_hint(problem)}") from problem
    for key, value in _values(content):
        if (wrong := _number_problem(value)) is not None:
            raise error(f"{file}: {key!r} is {wrong}\n  correct this number")
    return content


def _hint(problem: ValueError) -> str:
    """Return a line that says how to mend an error of TOML; empty for a rare one."""
    hints = (hint for sign, hint in _TOML_HINTS.items() if sign in str(problem))
    return "".join(f"\n  {hint}" for hint in hints)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shortened(text)} is too large")
    return value


def _int(text: str) -> int:
    return whole_number(text, -LARGEST)


def _values(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield all values in tables and lists, each with the last key above it."""
    waiting: list[tuple[str, Any]] = list(content.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += ((key, item) for item in value)
        else:
            yield key, value


def _number_problem(value: object) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is not a finite number"
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        return "a whole number of more than 20 digits"
    return None
