"""Write results: one folder for each cell, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from nserbench.benchmark.results.counted import confusion_of
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import (
    DIGESTS,
    NO_DIGEST,
    read_status,
    text_digest,
)
from nserbench.benchmark.results.result import PREDICTIONS, RESULT, SCHEMA, Result
from nserbench.disk_clock import disk_time
from nserbench.errors import BadResult
from nserbench.paths import named_errors

_UNFINISHED = re.compile(r"_[0-9a-f]{10}\.[0-9a-f]{8}$")
"""The end of a name that `_temporary` returns for the folder of a result."""
_DAY = 86_400.0  # seconds


def write_result(root: Path, result: Result) -> Path:
    """Write a result; if the process is killed, all of it is on disk or nothing.

    An earlier result of the cell is kept if it is done, and replaced if not.

    Args:
        root: Folder of all results; made if it is missing.
        result: Result to write. Its metrics are computed here.

    Returns:
        The result folder of the cell.

    Raises:
        OSError: if it cannot be written, for instance on a full disk.
        ValueError: if a number in it is infinite or NaN, which JSON cannot hold.
    """
    target = root / result.folder
    new = _temporary(target)
    try:
        with named_errors(root):
            new.mkdir(parents=True)
            if result.answers is not None:
                result.answers.write_csv(new / PREDICTIONS)
            _write_json(new, result)
            for path in (*new.iterdir(), new):
                _sync(path)
            _publish(new, target)
            _sync(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def _temporary(target: Path) -> Path:
    """Return a new hidden name next to a folder."""
    return target.with_name(f".{target.name}.{uuid4().hex[:8]}")


def sweep_results(root: Path) -> None:
    """Delete unfinished results of killed processes, once they are a day old.

    In a folder that cannot be written nothing is deleted.
    """
    unfinished = [one for one in root.glob(".*") if _UNFINISHED.search(one.name)]
    if unfinished:
        with suppress(OSError):
            oldest = disk_time(root) - _DAY
            for folder in unfinished:
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)


def _publish(new: Path, target: Path) -> None:
    """Rename a finished folder to its final name, unless a done result has it."""
    try:
        new.rename(target)  # fails on every system if the target holds files
    except OSError:
        if not target.exists():
            raise
        if not _is_done(target):
            old = _temporary(target)
            target.rename(old)
            new.rename(target)
            shutil.rmtree(old)


def _is_done(folder: Path) -> bool:
    """Return whether a folder holds a finished result that can be read."""
    try:
        return read_status(folder) == "done"
    except BadResult:
        return False


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_json(folder: Path, result: Result) -> None:
    """Write ``result.json`` with the digest of its own content, and of predictions.

    Its own is computed with zeros in its place.
    """
    digests = {RESULT: NO_DIGEST}
    if result.answers is not None:
        digests[PREDICTIONS] = text_digest((folder / PREDICTIONS).read_bytes())
    text = json.dumps(
        {**_as_json(result), DIGESTS: digests},
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
        default=dict,
    )
    content = f"{text}\n".encode()
    signed = content.replace(NO_DIGEST.encode(), text_digest(content).encode(), 1)
    (folder / RESULT).write_bytes(signed)


def _as_json(result: Result) -> dict[str, object]:
    content: dict[str, object] = {
        "schema": SCHEMA,
        "status": result.status,
        "reason": result.reason,
        "digest": result.digest,
        "cell": asdict(result.cell),
        "protocol": result.protocol_details,
        "classes": result.classes,
        "recognition": result.recognition,
        "costs": result.costs,
        "provenance": result.provenance,
        "notes": result.notes,
    }
    if (answers := result.answers) is not None:
        content["metrics"] = {
            name: asdict(summary) for name, summary in summarise(answers).items()
        }
        content["confusion"] = confusion_of(answers).tolist()
    return content
