"""Where things are on this machine: ``nserbench.toml`` and environment variables."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nserbench.errors import BadSettings

FILE = Path("nserbench.toml")
KNOWN = ("paths", "noises", "cluster")
PREFIX = "NSERBENCH_"
"""Of every environment variable that is looked up."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's folders and noises; the environment wins over the file.

    Attributes:
        paths: The ``[paths]`` table: corpora, collections of noises such as
            ``demand``, ``results``, ``store``.
        noises: The ``[noises]`` table: an audio file, a folder of them or a pattern
            for each name.
        cluster: The ``[cluster]`` table: what a job of ``--on slurm`` is.
        environment: Where ``NSERBENCH_...`` is looked up.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)
    noises: Mapping[str, Path] = field(default_factory=dict)
    cluster: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def path(self, name: str) -> Path | None:
        """Give the folder set for a name such as ``emodb``, or None."""
        if said := self.environment.get(variable(name)):
            return Path(said).expanduser()
        return self.paths.get(name)

    def using(self, **folders: Path | None) -> Settings:
        """Give these settings with folders that were named on the command line."""
        named = {variable(name): str(path) for name, path in folders.items() if path}
        return replace(self, environment={**self.environment, **named})

    @property
    def results(self) -> Path:
        """Where results go: ``results`` in the working folder unless set."""
        return self.path("results") or Path("results")

    @property
    def store(self) -> Path:
        """Where features go: ``~/.cache/nserbench`` unless set."""
        return self.path("store") or Path("~/.cache/nserbench").expanduser()


def variable(name: str) -> str:
    """Give the environment variable for a name.

    Examples:
        >>> variable("crema-d")
        'NSERBENCH_CREMA_D'
    """
    return PREFIX + name.upper().replace("-", "_")


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings file.

    Args:
        file: The file to read; ``nserbench.toml`` in the working folder, where there
            is one, unless given. Relative paths in it start at its own folder.

    Raises:
        BadSettings: if a file that was asked for is missing, or cannot be read.
    """
    if file is None and not FILE.is_file():
        return Settings()
    where = file or FILE
    try:
        content = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"{where} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadSettings(f"{where} is not TOML: {error}") from error
    if unknown := set(content) - set(KNOWN):
        raise BadSettings(
            f"{where} has the unknown table {sorted(unknown)[0]!r}\n"
            f"  known: {', '.join(KNOWN)}"
        )
    return Settings(
        _paths(content, "paths", where),
        _paths(content, "noises", where),
        _table(content, "cluster", where),
    )


def _table(content: Mapping[str, object], table: str, where: Path) -> dict[str, object]:
    entries = content.get(table, {})
    if not isinstance(entries, dict):
        raise BadSettings(f"{where}: {table!r} must be a table, headed [{table}]")
    return entries


def _paths(content: Mapping[str, object], table: str, where: Path) -> dict[str, Path]:
    entries = _table(content, table, where)
    for key, value in entries.items():
        if not isinstance(value, str):
            raise BadSettings(f"{where}: {key!r} in [{table}] must be a path in quotes")
    return {
        key: where.parent / Path(str(value)).expanduser()
        for key, value in entries.items()
    }
