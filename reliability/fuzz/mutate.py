"""Change valid inputs at random: bytes, lines, numbers, cells, values of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from fuzz.target import Files, Target

NUMBERS = (
    *("0", "-0", "1", "-1", "2", "255", "256", "65535", "2147483647", "2147483648"),
    *("4294967296", "9223372036854775807", "9223372036854775808", "1e400", "-1e400"),
    *("18446744073709551616", "1e308", "5e-324", "1e-400", "nan", "inf", "-Infinity"),
    *("NaN", "0x10", "1_000", "0.1", "1.", ".5", "00", "+1", "1e5", "9" * 30),
    *("9" * 5000, "\u0661\u0662", "\u00b2", "\uff11", "1 000", "1,5", "", "true"),
)
TEXTS = (
    *("", " ", "\0", "\n", "\r", "\r\n", "\t", "\u2028", "\x85", "\x1b[31m", "\ufeff"),
    *("\u202e", "\u0301", "\U0001f600", "e\u0301", "\u00e9", "\ud7ff", "'", '"', "\\"),
    *("..", "/", "../../x", "C:\\", "%s", "{", "}", "{}", "[", "]", ",", ";", ":", "="),
    *("@", "#", "+", "-", "~", "$HOME", "null", "None", "a" * 300, "x" * 10_000),
)
_ODD = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xfe\xff", b"\x00" * 8, b"\xff" * 8)
_DIGITS = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_VALUES: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**30, 1.5, 1e308),
    *(float("nan"), float("inf"), "", "x", "\0", "\ud800", "1", "nan", [], {}, [[]]),
    *([None], {"": None}, ["a"] * 50, {"a": {"a": {"a": 1}}}),
)

Change = Callable[[bytes, Random, Sequence[bytes]], bytes]


def changed(target: Target, seeds: Sequence[Files], random: Random) -> Files:
    """Return a valid input with up to five changes to one or two of its files."""
    files = dict(random.choice(seeds))
    others = [content for seed in seeds for content in seed.values()]
    words = [*target.words, *others]
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        name = random.choice(list(files))
        files[name] = random.choice(CHANGES)(files[name], random, words)
    return target.seal(files) if random.random() < 0.5 else files


def _flip(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Flip a bit, more often near the beginning, where headers are."""
    if not content:
        return content
    end = len(content) if random.random() < 0.5 else min(len(content), 64)
    place = random.randrange(end)
    flipped = content[place] ^ (1 << random.randrange(8))
    return content[:place] + bytes([flipped]) + content[place + 1 :]


def _field(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Replace a field of 1, 2, 4 or 8 bytes by a number at a bound."""
    size = random.choice((1, 2, 4, 8))
    bound = 1 << (8 * size)
    number = random.choice((0, 1, bound - 1, bound // 2, bound // 2 - 1, bound // 4))
    field = number.to_bytes(size, random.choice(("little", "big")))
    end = len(content) if random.random() < 0.3 else min(len(content), 128)
    place = random.randrange(max(end, 1))
    return content[:place] + field + content[place + size :]


def _cut(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    return content[: random.randint(0, len(content))]


def _delete(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    start, end = sorted(random.randint(0, len(content)) for _ in range(2))
    return (
        content[:start] + content[min(end, start + random.choice((1, 4, 64, 9999))) :]
    )


def _repeat(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    start, end = sorted(random.randint(0, len(content)) for _ in range(2))
    piece = content[start : min(end, start + 64)] * random.choice((1, 1, 2, 50))
    return content[:start] + piece + content[start:]


def _splice(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Join the beginning of one input and the end of another."""
    other = random.choice(words)
    return (
        content[: random.randint(0, len(content))]
        + other[random.randint(0, len(other)) :]
    )


def _insert(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    place, text = random.randint(0, len(content)), random.choice((*TEXTS, *NUMBERS))
    word = random.choice((text.encode(), random.choice(_ODD), random.choice(words)))
    return content[:place] + word + content[place:]


def _number(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Replace a number by one at a bound, or by one that is none."""
    if not (found := list(_DIGITS.finditer(content[:100_000]))):
        return _insert(content, random, words)
    match = random.choice(found)
    number = random.choice(NUMBERS).encode()
    return content[: match.start()] + number + content[match.end() :]


def _lines(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Delete, repeat, swap, empty or join lines."""
    lines = content.split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[first]
        case 1:
            lines.insert(second, lines[first])
        case 2:
            lines[first], lines[second] = lines[second], lines[first]
        case 3:
            lines[first] = b""
        case _:
            return content.replace(b"\n", random.choice((b"\r", b"\r\n", b" ")))
    return b"\n".join(lines)


def _cell(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Replace, delete or repeat a cell of a table."""
    lines = content.split(b"\n")
    row = random.randrange(len(lines))
    mark = b"\t" if b"\t" in lines[row] else b","
    cells = lines[row].split(mark)
    column = random.randrange(len(cells))
    match random.randrange(3):
        case 0:
            cells[column] = random.choice((*TEXTS, *NUMBERS)).encode()
        case 1:
            del cells[column]
        case _:
            cells.insert(column, random.choice(cells))
    lines[row] = mark.join(cells)
    return b"\n".join(lines)


def _json(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Replace, delete or move a value of JSON; of JSON Lines, in one line."""
    lines = content.split(b"\n")
    row = random.randrange(len(lines))
    for whole in (True, False):
        try:
            value = json.loads(content if whole else lines[row])
        except (ValueError, RecursionError):
            continue
        text = json.dumps(_value(value, random)).encode("utf-8", "surrogatepass")
        if whole:
            return text
        lines[row] = text
        return b"\n".join(lines)
    return _number(content, random, words)


def _value(value: Any, random: Random) -> Any:
    """Return a JSON value that is changed in one place."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        match random.randrange(8):
            case 0:
                return {name: item for name, item in value.items() if name != key}
            case 1:
                return {**value, random.choice(TEXTS): value[key]}
            case 2:
                return {**value, key: value[random.choice(list(value))]}
        return {**value, key: _value(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        changed_item = _value(value[place], random)
        return [*value[:place], changed_item, *value[place + 1 :]]
    return random.choice(_VALUES)


def _nest(content: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Nest brackets deeply at some place."""
    place = random.randint(0, len(content))
    bracket = random.choice((b"[", b"{", b'{"a":', b"[[", b"a.", b"- ", b"{a: "))
    return content[:place] + bracket * random.choice((5, 100, 3000)) + content[place:]


CHANGES: Sequence[Change] = (
    *(_flip, _flip, _field, _field, _cut, _delete, _repeat, _splice, _insert, _insert),
    *(_number, _number, _lines, _lines, _cell, _cell, _json, _json, _json, _nest),
)
