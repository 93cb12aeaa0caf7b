"""Settings of this machine: ``nserbench.toml`` and environment variables."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nserbench.byte_sizes import byte_count
from nserbench.errors import BadSettings, nearest, unknown_lines
from nserbench.paths import user_path
from nserbench.plain_data import read_toml

FILE = Path("nserbench.toml")
KNOWN = ("paths", "noises", "corpora", "cluster", "store")
"""The tables that the file may have."""
OF_SETTINGS = "settings"
"""Where a name comes from that the user's settings give, not a plugin."""
PREFIX = "NSERBENCH_"
"""Prefix of every environment variable that is read."""
READ = ("results", "store", "store-limit", "matmul", "tensorboard", "test-data")
"""Names whose variables are read, beside those of corpora and collections of noises."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's folders and noises. Environment variables override the file.

    Attributes:
        paths: The ``[paths]`` table: folders of corpora, of collections of noises such
            as ``demand``, and of ``results`` and ``store``.
        noises: The ``[noises]`` table: for each name an audio file, a folder of them or
            a glob pattern.
        corpora: The ``[corpora]`` table: for each name a ``manifest:path=FILE``.
        cluster: The ``[cluster]`` table: the resources of a job of ``--on slurm``.
        limit: The entry ``limit`` of the ``[store]`` table: most bytes of the store;
            None for no limit.
        file: The settings file, as messages name it. Relative paths in ``corpora``
            start at its folder.
        environment: The variables among which ``NSERBENCH_...`` are read.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)
    noises: Mapping[str, Path] = field(default_factory=dict)
    cluster: Mapping[str, object] = field(default_factory=dict)
    limit: int | None = None
    corpora: Mapping[str, str] = field(default_factory=dict)
    file: Path = FILE
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def path(self, name: str) -> Path | None:
        """Return the folder that is set for a name such as ``emodb``, or None."""
        if value := self.environment.get(variable(name)):
            return user_path(value)
        return self.paths.get(name)

    def using(self, **folders: Path | None) -> Settings:
        """Return a copy in which folders of the command line replace the others."""
        named = {variable(name): str(path) for name, path in folders.items() if path}
        return replace(self, environment={**self.environment, **named})

    @property
    def results(self) -> Path:
        """Folder of results. Default: ``results`` in the working folder."""
        return self.path("results") or Path("results")

    @property
    def store(self) -> Path:
        """Folder of stored features. Default: ``~/.cache/nserbench``.

        Raises:
            RuntimeError: if it is not set, and the user has no home.
        """
        return self.path("store") or Path("~/.cache/nserbench").expanduser()

    @property
    def store_limit(self) -> int | None:
        """Most bytes that the store may take on disk. Default: None, no limit.

        Raises:
            BadSettings: if ``NSERBENCH_STORE_LIMIT`` is no size.
        """
        name = variable("store-limit")
        if value := self.environment.get(name):
            return _size(value, name)
        return self.limit


def variable(name: str) -> str:
    """Return the environment variable for a name.

    Examples:
        >>> variable("crema-d")
        'NSERBENCH_CREMA_D'
    """
    return PREFIX + name.upper().replace("-", "_")


def misspelt_variables(
    environment: Mapping[str, str], names: Collection[str]
) -> Iterator[str]:
    """Yield a warning about each variable that is nearly one that is read.

    A plugin may read others of its own. So only a name that is nearly a known one is
    told, and only if the known one is not set itself.

    Args:
        names: The names whose variables are read, beside `READ`.

    Examples:
        >>> print(*misspelt_variables({"NSERBENCH_EMO_DB": "/data"}, ["emodb"]))
        NSERBENCH_EMO_DB is set, but not read: did you mean NSERBENCH_EMODB?
    """
    known = {variable(name).removeprefix(PREFIX) for name in (*READ, *names)}
    typed = {name[len(PREFIX) :] for name in environment if name.startswith(PREFIX)}
    for name in sorted(typed - known):
        near = nearest(name, known)
        if near is not None and near not in typed:
            yield f"{PREFIX}{name} is set, but not read: did you mean {PREFIX}{near}?"


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings file.

    Args:
        file: Path of the file. Default: ``nserbench.toml`` in the working folder, if
            there is one. Relative paths in the file start at its own folder.

    Raises:
        BadSettings: if the given file does not exist, or a file cannot be read.
    """
    if file is None and not FILE.is_file():
        return Settings()
    file = file or FILE
    content = read_toml(file, BadSettings)
    for name, value in content.items():
        if name not in KNOWN and not isinstance(value, dict):
            raise BadSettings(
                f"{file}: {name!r} stands above all tables\n  write it under one of "
                f"{', '.join(f'[{table}]' for table in KNOWN)}"
            )
    refuse_unknown(content, KNOWN, f"{file} has the unknown table")
    noises = _paths(content, "noises", file)
    for name in noises:
        if name == "clean":
            raise BadSettings(
                f"{file}: a noise cannot be named 'clean', which is speech without "
                "noise\n  give it another name"
            )
        if "@" in name:
            raise BadSettings(
                f"{file}: the noise {name!r} has an @, which stands before an SNR, as "
                "in park@5\n  give it another name"
            )
    return Settings(
        _paths(content, "paths", file),
        noises,
        _table(content, "cluster", file),
        _limit(content, file),
        _texts(content, "corpora", file, "the name of a corpus"),
        file,
    )


def refuse_unknown(
    content: Mapping[str, object], known: Collection[str], problem: str
) -> None:
    """Refuse a key that is not known; the message has the nearest one.

    Raises:
        BadSettings: if there is such a key.
    """
    if unknown := sorted(set(content) - set(known)):
        raise BadSettings(unknown_lines(problem, unknown[0], known))


def _table(content: Mapping[str, object], table: str, file: Path) -> dict[str, object]:
    entries = content.get(table, {})
    if not isinstance(entries, dict):
        raise BadSettings(
            f"{file}: {table!r} must be a table: write [{table}], then its entries"
        )
    return entries


def _limit(content: Mapping[str, object], file: Path) -> int | None:
    entries = _table(content, "store", file)
    refuse_unknown(entries, ["limit"], f"{file}: [store] has the unknown entry")
    if "limit" not in entries:
        return None
    return _size(str(entries["limit"]), f"{file}: 'limit' in [store]")


def _size(text: str, where: str) -> int:
    try:
        return byte_count(text)
    except ValueError as error:
        raise BadSettings(f"{where}: {error}") from None


def _paths(content: Mapping[str, object], table: str, file: Path) -> dict[str, Path]:
    texts = _texts(content, table, file, "a path")
    return {key: file.parent / user_path(value) for key, value in texts.items()}


def _texts(
    content: Mapping[str, object], table: str, file: Path, what: str
) -> dict[str, str]:
    entries = _table(content, table, file)
    texts = {key: value for key, value in entries.items() if isinstance(value, str)}
    for key in entries:
        if "\0" in texts.get(key, "\0"):
            raise BadSettings(f"{file}: {key!r} in [{table}] must be {what} in quotes")
    return texts
