"""The files of a bundle: their names, kinds and sizes, before one of them is read."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from nserbench.benchmark.results.result import PREDICTIONS, RESULT
from nserbench.leaderboard.sharing.manifest import MANIFEST

LARGEST_FILE = 10 * 2**20
LARGEST_BUNDLE = 30 * 2**20
"""Most bytes of a file, and of all files of a bundle."""
MOST_RESULTS = 2000

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_IN_RESULT = {RESULT, PREDICTIONS}


@dataclass(frozen=True, slots=True)
class BundleFiles:
    """The result folders of a bundle that may be read, and what is wrong with others.

    Attributes:
        results: Folders that have the two files of a result and nothing else.
        manifest: Whether there is a manifest that may be read.
        problems: One line each, with paths that start in the bundle.
    """

    results: Sequence[Path]
    manifest: bool
    problems: Sequence[str]


def find_files(bundle: Path) -> BundleFiles:
    """Look at all files of a bundle without reading or following one."""
    if not _NAME.fullmatch(bundle.name):
        rule = "small letters, digits, '.', '_' and '-', at most 64 characters"
        return BundleFiles([], False, [f"the name of the bundle must have {rule}"])
    if bundle.is_symlink() or not bundle.is_dir():
        return BundleFiles([], False, ["the bundle is not a folder"])
    flaws = {path: list(_flaws(path)) for path in sorted(bundle.iterdir())}
    sound = [path for path in flaws if not flaws[path]]
    results = [path for path in sound if path.name != MANIFEST]
    problems = list(chain.from_iterable(flaws.values()))
    if bundle / MANIFEST not in flaws:
        problems.append(f"{MANIFEST} is missing")
    total = sum(file.stat().st_size for path in results for file in path.iterdir())
    if total > LARGEST_BUNDLE or len(results) > MOST_RESULTS:
        problems.append(
            f"it has {len(results)} results of {total} bytes; allowed are "
            f"{MOST_RESULTS} results of {_mib(LARGEST_BUNDLE)}"
        )
        results = []
    return BundleFiles(results, bundle / MANIFEST in sound, problems)


def _flaws(path: Path) -> Iterator[str]:
    """Say what is wrong with a file or folder in a bundle."""
    if path.name == MANIFEST:
        yield from _file_flaws(path, path.name)
    elif not stat.S_ISDIR(path.lstat().st_mode):
        yield f"{path.name!r} is neither {MANIFEST} nor the folder of a result"
    else:
        names = {file.name for file in path.iterdir()}
        yield from (f"{path.name}/{name} is missing" for name in _IN_RESULT - names)
        for name in sorted(names - _IN_RESULT):
            yield f"{path.name}/{name!r} does not belong to a result"
        for name in sorted(names & _IN_RESULT):
            yield from _file_flaws(path / name, f"{path.name}/{name}")


def _file_flaws(file: Path, shown: str) -> Iterator[str]:
    facts = file.lstat()
    if not stat.S_ISREG(facts.st_mode):
        yield f"{shown} is not a regular file, but a link, a folder or a device"
    elif facts.st_size > LARGEST_FILE:
        yield f"{shown} has {facts.st_size} bytes, more than {_mib(LARGEST_FILE)}"


def _mib(size: int) -> str:
    return f"{size // 2**20} MiB"
