"""What was read of result folders, kept so that an unchanged leaderboard is instant.

One file for each folder of results, in the store and not among the results, since what
a result folder brings along is never trusted. It may be deleted at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.metrics import DRAWS, METRICS
from nserbench.benchmark.results.result import PREDICTIONS, RESULT
from nserbench.leaderboard.reading.counts import (
    Column,
    CountedResult,
    Counts,
    Row,
    folders_of,
    read_counted_result,
)
from nserbench.settings import Settings

VERSION = 3
"""Of this file's form and of whatever it holds: raise it when either changes."""
MIN_AGE_NS = 2_000_000_000
"""Nanoseconds. A younger file may change again without a change of its time."""
MANY = 100
"""Results, from which on a second process repays its start."""

Stamp: TypeAlias = list[list[int]]
Known: TypeAlias = Mapping[str, tuple[Stamp, CountedResult]]


def read_counted_results(root: Path) -> list[CountedResult]:
    """Read every result in a folder, from its files only where they have changed.

    The counts are resampled. See `nserbench.leaderboard.reading.counts.read_tallies`.

    Raises:
        BadResult: if there is none, or one cannot be read.
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
    return [kept[folder] for folder in folders]


def cache_file(root: Path) -> Path:
    """Say where what is known of a folder of results is kept."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return Settings().store / "leaderboard" / f"{name}.npz"


def _stamp(folder: Path) -> Stamp:
    """Say what changes whenever one of the files does, on this machine."""
    files = [folder / RESULT, folder / PREDICTIONS]
    found = [file.stat() for file in files if file.is_file()]
    # The time of the last change of the inode cannot be set back, as mtime can.
    return [[one.st_size, one.st_mtime_ns, one.st_ctime_ns] for one in found]


def _read(folders: Sequence[Path]) -> list[CountedResult]:
    cores = os.cpu_count() or 1
    if cores == 1 or len(folders) < MANY:
        return [_resampled(folder) for folder in folders]
    with ProcessPoolExecutor(cores) as pool:
        return list(pool.map(_resampled, folders, chunksize=16))


def _resampled(folder: Path) -> CountedResult:
    tally = read_counted_result(folder)
    if tally.counts is None:
        return tally
    return dataclasses.replace(tally, counts=tally.counts.resampled())


def _load(file: Path) -> Known:
    """Read the file; whatever is wrong with it, it is made again."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            about = json.loads(content["about"].tobytes())
            if about["version"] != VERSION:
                return {}
            return dict(
                _tallies(about["results"], content["answers"], content["drawn"])
            )
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return {}


def _tallies(
    results: Mapping[str, Any], answers: NDArray[Any], drawn: NDArray[np.float32]
) -> Iterator[tuple[str, tuple[Stamp, CountedResult]]]:
    place = row = 0
    for name, (stamp, fields) in results.items():
        counts = fields.pop("counts")
        if counts is not None:
            shape, resampled = counts.pop("shape"), counts.pop("resampled")
            size = int(np.prod(shape))
            found = answers[place : place + size].astype(np.int64).reshape(shape)
            draws = dict(zip(METRICS, drawn[row], strict=True)) if resampled else {}
            counts = Counts(**counts, answers=found, drawn=draws)
            place, row = place + size, row + resampled
        fields |= {
            "row": Row(**fields["row"]),
            "column": Column(**fields["column"]),
            "finished": datetime.fromisoformat(fields["finished"]),
            "counts": counts,
        }
        yield name, (stamp, CountedResult(**fields))


def _save(file: Path, known: Known) -> None:
    """Write the file whole; where that is not allowed, there is none."""
    done = [tally.counts for _, tally in known.values() if tally.counts]
    answers = np.concatenate(
        [np.zeros(1, np.int64), *(c.answers.ravel() for c in done)]
    )
    drawn = [[one.drawn[name] for name in METRICS] for one in done if one.drawn]
    results = {name: (stamp, _fields(tally)) for name, (stamp, tally) in known.items()}
    about = json.dumps({"version": VERSION, "results": results}).encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, delete=False) as whole:
            np.savez(
                whole,
                about=np.frombuffer(about, np.uint8),
                answers=answers[1:].astype(np.min_scalar_type(int(answers.max()))),
                drawn=np.array(drawn, np.float32).reshape(-1, len(METRICS), DRAWS),
            )
        Path(whole.name).replace(file)
    except OSError:
        return


def _fields(tally: CountedResult) -> dict[str, object]:
    fields: dict[str, object] = {
        one.name: getattr(tally, one.name) for one in dataclasses.fields(tally)
    }
    counts = tally.counts
    return {
        **fields,
        "row": dataclasses.asdict(tally.row),
        "column": dataclasses.asdict(tally.column),
        "finished": tally.finished.isoformat(),
        "counts": counts
        and {
            "utterances": counts.utterances,
            "tested": counts.tested,
            "shape": counts.answers.shape,
            "resampled": bool(counts.drawn),
        },
    }
