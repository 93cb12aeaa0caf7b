"""Results on disk: one folder for each cell, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_type_hints
from uuid import uuid4

from nserbench.benchmark.results.metrics import confusion, summarise
from nserbench.benchmark.results.predictions import Predictions, read_csv
from nserbench.disk_clock import disk_time
from nserbench.errors import BadResult
from nserbench.plain_data import parse_json, shortened

SCHEMA = 2
RESULT = "result.json"
PREDICTIONS = "predictions.csv"
_DIGEST = re.compile("[0-9a-f]+")
_UNFINISHED = re.compile(r"_[0-9a-f]{10}\.[0-9a-f]{8}$")
"""The end of a name that `_temporary` returns for the folder of a result."""
_DAY = 86_400.0  # seconds
_DIGESTS = "digests"
"""Field with the digest of each file of a result."""
_MAX_FOLDER_NAME = 150  # characters; file systems allow 255 bytes

Status = Literal["done", "not applicable", "failed"]
Outcome = Literal[Status, "already there", "deleted"]
"""What a run says of a cell: its status, that its result was there before, or that
somebody deleted the result while the command ran."""
_STATUSES: tuple[Status, ...] = get_args(Status)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CellName:
    """The six names of a cell, spelled as in tables and in ``result.json``.

    Attributes:
        condition: ``clean``, or a noise at an SNR in dB such as ``park@0``.
        protocol: Protocol with the settings that the command line changed.
    """

    upstream: str
    downstream: str
    corpus: str
    condition: str
    protocol: str
    seed: int

    def folder(self, digest: str) -> str:
        """Return the name of the result folder: readable, portable and unique.

        Args:
            digest: Digest of the cell, hex. Its first ten digits make the name unique.

        Examples:
            >>> name = CellName("mel", "fc:units=9", "emodb", "park@-5", "probe", 0)
            >>> name.folder("ab" * 32)
            'mel_fc-units=9_emodb_park@-5_probe_s0_ababababab'
        """
        parts = self.upstream, self.downstream, self.corpus, self.condition
        text = "_".join((*parts, self.protocol, f"s{self.seed}"))
        readable = re.sub(r"[^A-Za-z0-9.+@=_-]", "-", text)
        ending = f"_{digest[:10]}"
        # A leading dot marks a folder that is being written, a leading dash an option.
        return readable.lstrip(".-")[: _MAX_FOLDER_NAME - len(ending)] + ending


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """The result of a cell: of one that was run, that failed, or that cannot exist.

    Attributes:
        status: ``not applicable`` where the combination cannot exist.
        reason: Why the cell is not done; None if it is done.
        upstream, downstream, corpus, condition, protocol, seed: See `CellName`.
        protocol_details: ``name``, ``version``, ``digest``, ``recipe`` and all other
            settings of the protocol.
        classes: Class names, in the order of the confusion matrix.
        recognition: Word or character errors of the transcripts: ``measure`` (WER or
            CER), ``rate``, ``mean``, ``match_error``, ``hallucinations``,
            ``utterances``. Empty where there are no transcripts.
        costs: Seconds, bytes and counts by name; None for what cannot be measured.
        provenance: ``finished`` (ISO 8601), package versions, digests of the inputs,
            and the device.
        notes: All else that a reader should know, such as clips that were padded or
            cut.

    Raises:
        ValueError: if a cell that is done lacks predictions or has other classes, if
            one that is not done has predictions or no reason, or if the digest, which
            becomes part of a path, is not hexadecimal.
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
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"the digest {self.digest!r} is not hexadecimal")
        done = self.status == "done"
        if done != (self.predictions is not None):
            raise ValueError("a result has predictions if it is done, and only then")
        if done == (self.reason is not None):
            raise ValueError("a result has a reason unless it is done, and only then")
        if self.predictions is not None and self.predictions.classes != self.classes:
            raise ValueError("the predictions have other classes than the result")

    @property
    def cell(self) -> CellName:
        """The names of the cell."""
        return CellName(
            **{part.name: getattr(self, part.name) for part in fields(CellName)}
        )

    @property
    def folder(self) -> str:
        """The name of the result folder."""
        return self.cell.folder(self.digest)


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
        new.mkdir(parents=True)
        if result.predictions is not None:
            result.predictions.write_csv(new / PREDICTIONS)
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
    digests = {RESULT: _NO_DIGEST}
    if result.predictions is not None:
        digests[PREDICTIONS] = _digest((folder / PREDICTIONS).read_bytes())
    text = json.dumps(
        {**_as_json(result), _DIGESTS: digests},
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
        default=dict,
    )
    content = f"{text}\n".encode()
    signed = content.replace(_NO_DIGEST.encode(), _digest(content).encode(), 1)
    (folder / RESULT).write_bytes(signed)


def _digest(content: bytes) -> str:
    """Return the digest of a text file, whatever its line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


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
    if (predictions := result.predictions) is not None:
        content["metrics"] = {
            name: asdict(summary) for name, summary in summarise(predictions).items()
        }
        content["confusion"] = confusion(
            predictions.labels, predictions.predicted, len(predictions.classes)
        ).tolist()
    return content


class ResultFile:
    """The fields of a ``result.json``, each checked when it is read.

    Raises:
        BadResult: if the file is missing or damaged, or has another schema. So do the
            methods, if a field is missing or of another type.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RESULT
        self._content, self._written = _read_json(self.path)
        schema = self.take("schema", int)
        if schema != SCHEMA:
            remedy = (
                "a newer nserbench wrote it: update, or remove this result"
                if schema > SCHEMA
                else "an older nserbench wrote it: run the cell again"
            )
            raise BadResult(
                f"{self.path} has the schema {schema}, this nserbench reads {SCHEMA}\n"
                f"  {remedy}"
            )

    def check(self) -> None:
        """Compare the file with the digest that it holds.

        Raises:
            BadResult: if it has changed since it was written.
        """
        if own := self._digest_of(RESULT):
            unsigned = self._written.replace(own.encode(), _NO_DIGEST.encode(), 1)
            if _digest(unsigned) != own:
                raise BadResult(
                    f"{self.path} has changed since it was written{_REMEDY}"
                )

    def _digest_of(self, name: str) -> str:
        """Return the digest of a file; empty in a result that an older one wrote."""
        if _DIGESTS not in self._content:
            return ""
        digests = self.take(_DIGESTS, dict)
        return self._take(digests, name, str)

    def predictions(self) -> Predictions:
        """Read the predictions beside this file.

        Raises:
            BadResult: if they are missing or damaged, or those of another result.
        """
        path = self.path.with_name(PREDICTIONS)
        predictions = read_csv(path)
        digest = self._digest_of(PREDICTIONS)
        if digest and _digest(path.read_bytes()) != digest:
            raise BadResult(f"{path} has changed since it was written{_REMEDY}")
        return predictions

    @property
    def status(self) -> Status:
        """Whether the cell is done, failed, or cannot exist."""
        text = self.take("status", str)
        for status in _STATUSES:
            if text == status:
                return status
        raise BadResult(
            f"{self.path} has the status {text!r}, not one of {', '.join(_STATUSES)}"
        )

    @property
    def cell(self) -> CellName:
        """The names of the cell."""
        names, types = self.take("cell", dict), get_type_hints(CellName)
        return CellName(
            **{name: self._take(names, name, kind) for name, kind in types.items()}
        )

    def take(self, name: str, kind: type[T]) -> T:
        """Return a field, which must have the given type."""
        return self._take(self._content, name, kind)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field that is a list of texts."""
        values = self.take(name, list)
        if not all(isinstance(value, str) for value in values):
            raise BadResult(f"{self.path}: {name!r} holds more than texts{_REMEDY}")
        return tuple(values)

    @property
    def costs(self) -> dict[str, Any]:
        """Numbers from 0 up by name; None for what could not be measured."""
        costs = self.take("costs", dict)
        for key, value in costs.items():
            if value is not None and not _is_amount(value):
                self._refuse(f"costs.{key}", value)
        return costs

    @property
    def recognition(self) -> dict[str, Any]:
        """The errors of transcripts: a text ``measure``, and numbers from 0 up."""
        errors = self.take("recognition", dict)
        for key, value in errors.items():
            if not (isinstance(value, str) if key == "measure" else _is_amount(value)):
                self._refuse(f"recognition.{key}", value)
        if "rate" in errors and "measure" not in errors:
            self._refuse("recognition.measure", None)
        return errors

    def _refuse(self, field: str, value: object) -> NoReturn:
        said = f"{self.path}: {field} is {shortened(str(value))}, which it cannot be"
        raise BadResult(f"{said}{_REMEDY}")

    def _take(self, content: Mapping[str, object], name: str, kind: type[T]) -> T:
        value = content.get(name)
        # In Python True is an int, but in JSON it is no number.
        if not isinstance(value, kind) or isinstance(value, bool):
            problem = "is missing" if name not in content else f"is no {kind.__name__}"
            raise BadResult(f"{self.path}: the field {name!r} {problem}{_REMEDY}")
        return value


def read_result(folder: Path) -> Result:
    """Read a result. Its metrics are not read: they follow from the predictions.

    Raises:
        BadResult: if a file is missing or damaged, or a newer nserbench wrote it.
    """
    file = ResultFile(folder)
    done = file.status == "done"
    try:
        result = Result(
            status=file.status,
            reason=None if done else file.take("reason", str),
            digest=file.take("digest", str),
            **asdict(file.cell),
            protocol_details=file.take("protocol", dict),
            classes=file.texts("classes"),
            predictions=file.predictions() if done else None,
            recognition=file.recognition,
            costs=file.costs,
            provenance=file.take("provenance", dict),
            notes=file.take("notes", dict),
        )
    except BadResult:
        raise
    except ValueError as error:
        raise BadResult(f"{file.path}: {error}") from error
    file.check()
    return result


def read_status(folder: Path) -> Status:
    """Read whether a cell is done, without reading its predictions.

    Raises:
        BadResult: if ``result.json`` is missing or damaged.
    """
    file = ResultFile(folder)
    status = file.status
    file.check()
    return status


def result_folders(root: Path) -> list[Path]:
    """Return the result folders in a folder, sorted by name.

    Hidden folders are the rest of a run that was killed, and are skipped.
    """
    folders = (path.parent for path in root.glob(f"*/{RESULT}"))
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def read_results(root: Path) -> list[Result]:
    """Read every result in a folder, sorted by the name of its folder.

    Raises:
        BadResult: if one of them cannot be read.
    """
    return [read_result(folder) for folder in result_folders(root)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadResult(f"{path} cannot be read: {error.strerror}{_REMEDY}") from error


def _read_json(path: Path) -> tuple[dict[str, object], bytes]:
    """Return what a file says, and its bytes."""
    written = _read(path)
    try:
        content = parse_json(written)
    except ValueError as error:
        raise BadResult(f"{path} is not JSON: {error}{_REMEDY}") from error
    if not isinstance(content, dict):
        raise BadResult(f"{path} does not hold a result{_REMEDY}")
    return content, written


def _is_amount(value: object) -> bool:
    return type(value) in (int, float) and float(str(value)) >= 0


_NO_DIGEST = "0" * len(_digest(b""))
_REMEDY = "\n  delete its folder and run the cell again"
