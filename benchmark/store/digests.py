"""Digests: the names of things by their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_SIZE = 16  # bytes; two different things meet by chance once in 2 ** 64


def digest(value: Any) -> str:
    """Give the hex digest of anything that JSON can hold.

    The order of keys does not matter, the order of lists does.

    Examples:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return bytes_digest(text.encode())


def bytes_digest(content: bytes) -> str:
    """Give the hex digest of bytes."""
    return hashlib.blake2b(content, digest_size=_SIZE).hexdigest()


def file_digest(path: Path) -> str:
    """Give the hex digest of a file's content."""
    with path.open("rb") as file:
        found = hashlib.file_digest(
            file,
            lambda: hashlib.blake2b(digest_size=_SIZE),
        )
    return found.hexdigest()


def derived_seed(*parts: object) -> int:
    """Give a seed in ``[0, 2 ** 63)`` that depends on all parts and nothing else."""
    return int(digest([str(part) for part in parts]), 16) % 2**63
