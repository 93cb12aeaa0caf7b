"""Digests: short names computed from content, and seeds derived from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_SIZE = 16  # bytes; a collision is expected among about 2 ** 64 digests


def digest(value: Any) -> str:
    """Return the hex digest of a value that can be written as JSON.

    The order of keys does not matter, the order of lists does.

    Examples:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return bytes_digest(text.encode())


def bytes_digest(content: bytes) -> str:
    """Return the hex digest of bytes."""
    return hashlib.blake2b(content, digest_size=_SIZE).hexdigest()


def file_digest(path: Path) -> str:
    """Return the hex digest of a file's content."""
    with path.open("rb") as file:
        hashed = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_SIZE))
    return hashed.hexdigest()


def derived_seed(*parts: object) -> int:
    """Return a random seed in ``[0, 2 ** 63)``, computed from the parts alone."""
    return int(digest([str(part) for part in parts]), 16) % 2**63
