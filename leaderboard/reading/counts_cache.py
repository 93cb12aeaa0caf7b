"""A cache of counts and bootstrap draws, so that a leaderboard is shown at once.

There is one cache file for each folder of results. It is in the feature store, since
only predictions are trusted in a folder of results. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import DRAWS, METRICS
from nserbench.benchmark.results.result import PREDICTIONS, RESULT
from nserbench.benchmark.store.whole_files import read_checked, write_checked
from nserbench.errors import StoreDamaged
from nserbench.leaderboard.reading.counts import (
    Column,
    CountedResult,
    Counts,
    ProtocolSettings,
    Row,
    RowColumn,
    folders_of,
    read_counted_result,
)
from nserbench.leaderboard.reading.latest import by_cell
from nserbench.plain_data import parse_json
from nserbench.settings import Settings

VERSION = 9
"""Version of the cache file. Raise it when the format or the numbers change."""
MIN_AGE_NS = 2_000_000_000
"""Age in ns below which a file may change again without a new time stamp."""
_OTHER_CONTENT = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What numpy, zipfile and `_cached` raise for a file that nserbench did not write."""
MANY = 100
"""Number of results from which on several processes are faster than one."""

Stamp: TypeAlias = list[list[int]]
Known: TypeAlias = Mapping[str, tuple[Stamp, CountedResult]]


def read_counted_results(root: Path) -> list[CountedResult]:
    """Read every result in a folder, with bootstrap draws; see `read_counted`."""
    return list(read_counted(root).values())


def read_counted(root: Path) -> dict[Path, CountedResult]:
    """Read every result in a folder, with bootstrap draws, by its own folder.

    A result whose files have not changed is taken from the cache.

    Raises:
        BadResult: if there are no results, or one cannot be read.
    """
    folders = folders_of(root)
    file = cache_file(root)
    known = _load(file)
    stamps = {folder: _stamp(folder) for folder in folders}
    kept = {
        folder: known[folder.name][1]
        for folder in folders
        if folder.name in known and known[folder.name][0] == stamps[folder]
    }
    began = time.time_ns()
    new = [folder for folder in folders if folder not in kept]
    kept |= zip(new, _read(new), strict=True)
    if new or len(known) != len(folders):
        settled = {
            folder.name: (stamps[folder], kept[folder])
            for folder in folders
            if began - max(map(max, stamps[folder])) > MIN_AGE_NS
        }
        _save(file, settled)
    return {folder: kept[folder] for folder in folders}


def read_cells(
    folders: Iterable[Path],
) -> tuple[dict[RowColumn, list[CountedResult]], list[str]]:
    """Read folders of results, and keep the newest result of each cell and seed.

    Returns:
        The results of each row and column, by seed; and notes; see `by_cell`.

    Raises:
        BadResult: if a folder has no results, or one cannot be read.
    """
    return by_cell([item for root in folders for item in read_counted_results(root)])


def cache_file(root: Path) -> Path:
    """Return the path of the cache file of a folder of results."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return Settings().store / "leaderboard" / f"{name}.npz"


def _stamp(folder: Path) -> Stamp:
    """Return size and times of a result's files, which change when a file changes."""
    files = [folder / RESULT, folder / PREDICTIONS]
    stats = [file.stat() for file in files if file.is_file()]
    # ctime, the last change of the inode, cannot be set back as mtime can.
    return [[stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for stat in stats]


def _read(folders: Sequence[Path]) -> list[CountedResult]:
    cores = os.cpu_count() or 1
    if cores == 1 or len(folders) < MANY:
        return [_resampled(folder) for folder in folders]
    with ProcessPoolExecutor(cores) as pool:
        return list(pool.map(_resampled, folders, chunksize=16))


def _resampled(folder: Path) -> CountedResult:
    result = read_counted_result(folder)
    if result.counts is None:
        return result
    return dataclasses.replace(result, counts=result.counts.resampled())


def _load(file: Path) -> Known:
    """Read the cache; empty if the file is missing, damaged or of another version."""
    try:
        stored = io.BytesIO(read_checked(file))
        with np.load(stored, allow_pickle=False) as content:
            about = parse_json(content["about"].tobytes())
            if about["version"] != VERSION:
                return {}
            return dict(_cached(about["results"], content["answers"], content["drawn"]))
    except (OSError, StoreDamaged, *_OTHER_CONTENT):
        return {}


def _cached(
    results: Mapping[str, Any], answers: NDArray[Any], drawn: NDArray[np.float32]
) -> Iterator[tuple[str, tuple[Stamp, CountedResult]]]:
    start = row = 0
    for name, (stamp, fields) in results.items():
        counts = fields.pop("counts")
        if counts is not None:
            shape, resampled = counts.pop("shape"), counts.pop("resampled")
            size = int(np.prod(shape))
            matrices = answers[start : start + size].astype(np.int64).reshape(shape)
            draws = dict(zip(METRICS, drawn[row], strict=True)) if resampled else {}
            classes = tuple(counts.pop("classes"))
            counts = Counts(**counts, classes=classes, answers=matrices, drawn=draws)
            start, row = start + size, row + resampled
        fields |= {
            "row": Row(**fields["row"]),
            "column": Column(**fields["column"]),
            "finished": datetime.fromisoformat(fields["finished"]),
            "settings": ProtocolSettings(
                *(tuple(map(tuple, part)) for part in fields["settings"].values())
            ),
            "counts": counts,
        }
        yield name, (stamp, CountedResult(**fields))


def _save(file: Path, known: Known) -> None:
    """Write the cache in one step; without write permission there is no cache."""
    done = [result.counts for _, result in known.values() if result.counts]
    answers = np.concatenate(
        [np.zeros(1, np.int64), *(counts.answers.ravel() for counts in done)]
    )
    drawn = [
        [counts.drawn[name] for name in METRICS] for counts in done if counts.drawn
    ]
    results = {
        name: (stamp, _fields(result)) for name, (stamp, result) in known.items()
    }
    about = json.dumps({"version": VERSION, "results": results}).encode()
    content = io.BytesIO()
    np.savez(
        content,
        about=np.frombuffer(about, np.uint8),
        answers=answers[1:].astype(np.min_scalar_type(int(answers.max()))),
        drawn=np.array(drawn, np.float32).reshape(-1, len(METRICS), DRAWS),
    )
    with contextlib.suppress(OSError):
        write_checked(file, content.getvalue())


def _fields(result: CountedResult) -> dict[str, object]:
    fields = dataclasses.asdict(dataclasses.replace(result, counts=None))
    fields["finished"] = result.finished.isoformat()
    if (counts := result.counts) is not None:
        fields["counts"] = {
            "utterances": counts.utterances,
            "tested": counts.tested,
            "classes": counts.classes,
            "shape": counts.answers.shape,
            "resampled": bool(counts.drawn),
        }
    return fields
