"""Read results, and check every field that is used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

from nserbench.benchmark.results.counted import (
    PredictionsOrCounts,
    UnitCounts,
    read_predictions,
)
from nserbench.benchmark.results.result import (
    PREDICTIONS,
    RESULT,
    SCHEMA,
    CellName,
    Result,
    Status,
)
from nserbench.errors import BadResult
from nserbench.plain_data import parse_json, shortened

DIGESTS = "digests"
"""Field with the digest of each file of a result."""
_STATUSES: tuple[Status, ...] = get_args(Status)
_REMEDY = "\n  delete its folder and run the cell again"

T = TypeVar("T")


def text_digest(content: bytes) -> str:
    """Return the digest of a text file, whatever its line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


NO_DIGEST = "0" * len(text_digest(b""))
"""In place of the file's own digest while that is computed."""


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
            unsigned = self._written.replace(own.encode(), NO_DIGEST.encode(), 1)
            if text_digest(unsigned) != own:
                raise BadResult(
                    f"{self.path} has changed since it was written{_REMEDY}"
                )

    def _digest_of(self, name: str) -> str:
        """Return the digest of a file; empty in a result that an older one wrote."""
        if DIGESTS not in self._content:
            return ""
        digests = self.take(DIGESTS, dict)
        return self._take(digests, name, str)

    def answers(self) -> PredictionsOrCounts:
        """Read the predictions, or the counts in their place, beside this file.

        Raises:
            BadResult: if they are missing or damaged, or those of another result.
        """
        path = self.path.with_name(PREDICTIONS)
        answers = read_predictions(path)
        digest = self._digest_of(PREDICTIONS)
        if digest and text_digest(path.read_bytes()) != digest:
            raise BadResult(f"{path} has changed since it was written{_REMEDY}")
        return answers

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
    answers = file.answers() if done else None
    counts = answers if isinstance(answers, UnitCounts) else None
    try:
        result = Result(
            status=file.status,
            reason=None if done else file.take("reason", str),
            digest=file.take("digest", str),
            **asdict(file.cell),
            protocol_details=file.take("protocol", dict),
            classes=file.texts("classes"),
            predictions=None if isinstance(answers, UnitCounts) else answers,
            counts=counts,
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
