"""Results on disk: one folder for each cell, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, get_args
from uuid import uuid4

from nserbench.benchmark.results.metrics import confusion, summarise
from nserbench.benchmark.results.predictions import Predictions, read_csv
from nserbench.errors import BadResult

SCHEMA = 2
RESULT = "result.json"
PREDICTIONS = "predictions.csv"
LONGEST_NAME = 150
"""Characters of a folder's name; file systems stop at 255 bytes."""

Status = Literal["done", "not applicable", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What is known of a cell once it has been dealt with.

    Attributes:
        status: ``not applicable`` where the combination cannot exist.
        reason: Why it is not done.
        digest: What identifies the cell, hex.
        upstream: With its options, as in tables.
        downstream: Likewise.
        corpus: Likewise.
        condition: ``clean``, or a noise at an SNR in dB such as ``park@0``.
        protocol: Its name, with what the command line overrode.
        seed: Of the fits.
        protocol_details: ``name``, ``version``, ``digest``, ``recipe`` and whatever
            else the protocol settles.
        classes: In the order of the confusion matrix.
        predictions: None unless the cell is done.
        recognition: How well the transcripts that come with the features, or that they
            come from, match what was said: ``measure`` (WER or CER), ``rate``,
            ``mean``, ``match_error``, ``hallucinations``, ``utterances``. Empty where
            there are none.
        costs: Seconds, bytes and counts by name; None for what cannot be measured.
        provenance: ``finished`` (ISO 8601) and what the numbers came from: versions,
            digests, device.
        notes: Whatever a reader should know, such as clips that were padded or cut.

    Raises:
        ValueError: if a cell that is done lacks predictions or has other classes, or
            one that is not done has predictions or no reason.
    """

    status: Status
    reason: str | None = None
    digest: str
    upstream: str
    downstream: str
    corpus: str
    condition: str
    protocol: str
    seed: int
    protocol_details: Mapping[str, object]
    classes: tuple[str, ...]
    predictions: Predictions | None = None
    recognition: Mapping[str, str | float | int] = field(default_factory=dict)
    costs: Mapping[str, float | int | None] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        done = self.status == "done"
        if done != (self.predictions is not None):
            raise ValueError("a result has predictions if it is done, and only then")
        if done == (self.reason is not None):
            raise ValueError("a result has a reason unless it is done, and only then")
        if self.predictions is not None and self.predictions.classes != self.classes:
            raise ValueError("the predictions have other classes than the result")

    @property
    def folder(self) -> str:
        """The name of the folder that holds it."""
        return folder_name(
            self.upstream,
            self.downstream,
            self.corpus,
            self.condition,
            self.protocol,
            self.seed,
            self.digest,
        )


def folder_name(
    upstream: str,
    downstream: str,
    corpus: str,
    condition: str,
    protocol: str,
    seed: int,
    digest: str,
) -> str:
    """Name a cell's folder: readable, allowed everywhere, and unique by its digest.

    Examples:
        >>> folder_name("mel", "fc:units=9", "emodb", "park@-5", "probe", 0, "ab" * 32)
        'mel_fc-units=9_emodb_park@-5_probe_s0_ababababab'
    """
    parts = (upstream, downstream, corpus, condition, protocol, f"s{seed}")
    readable = re.sub(r"[^A-Za-z0-9.+@=_-]", "-", "_".join(parts))
    ending = f"_{digest[:10]}"
    # A leading dot marks a folder that is still being written, a dash an option.
    return readable.lstrip(".-")[: LONGEST_NAME - len(ending)] + ending


def write_result(root: Path, result: Result) -> Path:
    """Write a result; a kill at any instant leaves all of it or nothing.

    A result that is already there stands if it is done, and is replaced if not.

    Args:
        root: The folder of all results; made where need be.
        result: What to write. Its metrics are computed here.

    Returns:
        The cell's own folder.

    Raises:
        OSError: if it cannot be written, for instance on a full disk.
        ValueError: if a number in it is infinite or NaN, which JSON cannot hold.
    """
    target = root / result.folder
    new = _beside(target)
    try:
        new.mkdir(parents=True)
        if result.predictions is not None:
            result.predictions.write_csv(new / PREDICTIONS)
        _write_json(new / RESULT, result)
        for path in (*new.iterdir(), new):
            _sync(path)
        _publish(new, target)
        _sync(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{uuid4().hex[:8]}")


def _publish(new: Path, target: Path) -> None:
    """Give a finished folder its name, unless a done result has it."""
    try:
        new.rename(target)  # no system renames onto a folder that holds files
    except OSError:
        if not target.exists():
            raise
        if read_status(target) != "done":
            old = _beside(target)
            target.rename(old)
            new.rename(target)
            shutil.rmtree(old)


def _sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_json(path: Path, result: Result) -> None:
    text = json.dumps(
        _as_json(result), indent=1, ensure_ascii=False, allow_nan=False, default=dict
    )
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _as_json(result: Result) -> dict[str, object]:
    content: dict[str, object] = {
        "schema": SCHEMA,
        "status": result.status,
        "reason": result.reason,
        "digest": result.digest,
        "cell": {key: getattr(result, key) for key in _CELL},
        "protocol": result.protocol_details,
        "classes": result.classes,
        "recognition": result.recognition,
        "costs": result.costs,
        "provenance": result.provenance,
        "notes": result.notes,
    }
    if (found := result.predictions) is not None:
        content["metrics"] = {
            name: dataclasses.asdict(summary)
            for name, summary in summarise(found).items()
        }
        matrix = confusion(found.labels, found.predicted, len(found.classes))
        content["confusion"] = matrix.tolist()
    return content


_CELL: Mapping[str, type] = {
    "upstream": str,
    "downstream": str,
    "corpus": str,
    "condition": str,
    "protocol": str,
    "seed": int,
}


def read_result(folder: Path) -> Result:
    """Read a result; its metrics are not read, predictions are what counts.

    Raises:
        BadResult: if a file is missing or damaged, or a newer nserbench wrote it.
    """
    file = folder / RESULT
    content = _read_json(file)
    status = _status(content, file)
    cell = _take(content, "cell", dict, file)
    try:
        return Result(
            status=status,
            reason=None if status == "done" else _take(content, "reason", str, file),
            digest=_take(content, "digest", str, file),
            **{key: _take(cell, key, kind, file) for key, kind in _CELL.items()},
            protocol_details=_take(content, "protocol", dict, file),
            classes=tuple(_take(content, "classes", list, file)),
            predictions=read_csv(folder / PREDICTIONS) if status == "done" else None,
            recognition=_take(content, "recognition", dict, file),
            costs=_take(content, "costs", dict, file),
            provenance=_take(content, "provenance", dict, file),
            notes=_take(content, "notes", dict, file),
        )
    except BadResult:
        raise
    except ValueError as error:
        raise BadResult(f"{file}: {error}") from error


def read_status(folder: Path) -> Status:
    """Tell whether a cell is done, without reading its predictions.

    Raises:
        BadResult: if ``result.json`` is missing or damaged.
    """
    file = folder / RESULT
    return _status(_read_json(file), file)


def result_folders(root: Path) -> list[Path]:
    """Find the results in a folder, by name; leftovers of a kill are no results."""
    found = (path.parent for path in root.glob(f"*/{RESULT}"))
    return sorted(folder for folder in found if not folder.name.startswith("."))


def read_results(root: Path) -> list[Result]:
    """Read every result in a folder, by name.

    Raises:
        BadResult: if one of them cannot be read.
    """
    return [read_result(folder) for folder in result_folders(root)]


def _read_json(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadResult(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadResult(f"{file} is not JSON: {error}{_AGAIN}") from error
    if not isinstance(content, dict):
        raise BadResult(f"{file} does not hold a result{_AGAIN}")
    return content


_AGAIN = "\n  delete its folder and run the cell again"


def _status(content: Mapping[str, object], file: Path) -> Status:
    schema = _take(content, "schema", int, file)
    if schema != SCHEMA:
        remedy = (
            "a newer nserbench wrote it: update, or leave it out"
            if schema > SCHEMA
            else "an older nserbench wrote it: run the cell again"
        )
        raise BadResult(
            f"{file} has the schema {schema}, this nserbench reads {SCHEMA}\n  {remedy}"
        )
    status = _take(content, "status", str, file)
    if status not in STATUSES:
        raise BadResult(
            f"{file} has the status {status!r}, not one of {', '.join(STATUSES)}"
        )
    return status


def _take(content: Mapping[str, object], key: str, kind: type[T], file: Path) -> T:
    value = content.get(key)
    if not isinstance(value, kind):
        problem = "is missing" if key not in content else f"is no {kind.__name__}"
        raise BadResult(f"{file}: the field {key!r} {problem}{_AGAIN}")
    return value
