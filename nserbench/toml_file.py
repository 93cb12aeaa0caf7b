"""Read TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from nserbench.errors import NserbenchError


def read_toml(file: Path, error: type[NserbenchError]) -> dict[str, Any]:
    """Read a TOML file, or raise ``error`` if it cannot be read or is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{file} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:  # also a UnicodeDecodeError
        raise error(f"{file} is not TOML: {problem}") from problem
