"""Digest the source files of a plugin, so that changed code gives other features."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from nserbench.distributions import modules_beside
from nserbench.errors import NserbenchError

OURS = "nserbench"
"""Package whose changes are told by the versions of its cards."""
_UNWRITTEN = [uuid4().hex]
"""A name for all code that is in no file, until `begin_anew`."""
_SIZE = 16  # bytes
States: TypeAlias = tuple[tuple[Path, tuple[int, int, int] | None], ...]
_SOURCES: dict[str, tuple[str | None, States]] = {}
"""What `source_digest` has found in this process, by module."""
_NO_FILE = ""
_SUFFIXES = (".py", "/__init__.py", ".so", ".pyd")


def source_digest(load: str) -> str | None:
    """Return the digest of the code behind ``"package.module:name"``, computed once.

    It is computed from the content of the module's file and of all files that it
    imports, as far as they belong to the same plugin: they are in the same folder, or,
    if it is installed, in the same distribution. File names do not matter. Nothing is
    imported.

    Returns:
        None for nserbench's own code. For code that is in no file, such as in a
        notebook, a name that is valid until `begin_anew` is called.
    """
    digest, _ = _source(load)
    return _UNWRITTEN[0] if digest == _NO_FILE else digest


def begin_anew() -> None:
    """Forget names of code in no file, and refuse files that have changed.

    It is called where a process may use plugins again, as in a notebook: a class in a
    cell may be another one by now, and a module that was imported stays the old one.

    Raises:
        NserbenchError: as `refuse_changed_source`, for any code digested before.
    """
    _UNWRITTEN[0] = uuid4().hex
    for module in _SOURCES:
        refuse_changed_source(module)


def refuse_changed_source(load: str) -> None:
    """Refuse code whose files have changed since `source_digest` was first called.

    Raises:
        NserbenchError: if they have: the code in use may be the old or the new one.
    """
    digest, states = _source(load)
    if states == _states(file for file, _ in states):
        return
    files = [file for file, _ in states if file.is_file()]
    if len(files) < len(states) or _digest_of(files) != digest:
        names = ", ".join(sorted(file.name for file, _ in states))
        raise NserbenchError(
            f"the code of {load} has changed since this program began ({names})\n"
            "  start it again, so that the new code is used; in a notebook, restart "
            "the kernel"
        )


def _source(load: str) -> tuple[str | None, States]:
    """Return the digest of the code behind a name, and the state of its files."""
    module = load.partition(":")[0]
    if module not in _SOURCES:
        _SOURCES[module] = _read_source(module)
    return _SOURCES[module]


def _read_source(module: str) -> tuple[str | None, States]:
    if module.partition(".")[0] == OURS:
        return None, ()
    files = sorted(source_files(module))
    states = _states(files)  # before they are read
    return _digest_of(files) or _NO_FILE, states


def _states(files: Iterable[Path]) -> States:
    """Return what changes when a file is changed, for each file; None if it is gone."""
    stats = [(file, file.stat() if file.exists() else None) for file in files]
    return tuple(
        (file, stat and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        for file, stat in stats
    )


def _digest_of(files: Collection[Path]) -> str | None:
    """Return the digest of the content of files; None if there are none."""
    digests = sorted(_digest(file.read_bytes()) for file in files)
    return _digest("".join(digests).encode()) if digests else None


def source_files(module: str) -> set[Path]:
    """Return the files of a module and of the modules of its plugin that it imports."""
    if (folder := _folder(module)) is None:
        return set()
    tops = _tops(module.partition(".")[0], folder)
    files: set[Path] = set()
    seen: set[str] = set()
    names = [module]
    while names:
        name = names.pop()
        top = name.partition(".")[0]
        if name in seen or top == OURS or (tops is not None and top not in tops):
            continue
        seen.add(name)
        for package, file in _files_of(name, folder):
            if file not in files:
                files.add(file)
                names += _imported(package, file)
    return files


def _folder(module: str) -> Path | None:
    """Return the folder in which the top-level module of a name lies."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except ValueError:  # a module that was made in memory has no spec
        return None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    file = Path(spec.origin).absolute()
    return file.parent.parent if spec.submodule_search_locations else file.parent


def _tops(top: str, folder: Path) -> frozenset[str] | None:
    """Return the top-level modules of an installed plugin; None if it is a folder."""
    if str(folder) not in {
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
    }:
        return None
    return modules_beside(top) | {top}


def _files_of(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that an import of a module runs, each with its package."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:count])
        for suffix in _SUFFIXES:
            file = Path(f"{base}{suffix}")
            if file.is_file():
                package = parts[:count] if file.parent == base else parts[: count - 1]
                yield ".".join(package), file
                break


def _imported(package: str, file: Path) -> Iterator[str]:
    """Yield the names of the modules that a file may import."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # its import will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_SIZE).hexdigest()
