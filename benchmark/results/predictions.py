"""Predictions of a cell: one row for each tested utterance, as CSV on disk."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nserbench.errors import BadResult
from nserbench.plain_data import number, numbers

COLUMNS = ("utterance", "speaker", "unit", "fold", "label", "predicted")
PROBABILITY = "p_"
"""Prefix of the column of probabilities of a class."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The predictions of a cell; each utterance is tested once.

    Attributes:
        utterances: Id of each utterance, all different.
        classes: Class names, in the order of the numbers in ``labels`` and
            ``predicted``.
        labels: Number of the true class, ``(utterances,)``.
        predicted: Number of the predicted class, ``(utterances,)``.
        probabilities: ``(utterances, classes)``; each row sums to 1.
        units: Independent unit of each utterance, such as a dialogue; empty where it
            is the speaker.

    Raises:
        ValueError: if there is no utterance, the lengths do not agree, an utterance
            or a class occurs twice, a class number is out of range, or a row of
            probabilities is not a distribution.
    """

    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    folds: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    units: tuple[str, ...] = ()

    @property
    def independent(self) -> tuple[str, ...]:
        """The independent unit of each utterance: its speaker where no other is set."""
        return self.units or self.speakers

    def __post_init__(self) -> None:
        if not self.utterances:
            raise ValueError("there are no predictions")
        self._check_lengths()
        for what, names in (("utterance", self.utterances), ("class", self.classes)):
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"the {what} {twice!r} occurs more than once")
        for what, indices in (("label", self.labels), ("predicted", self.predicted)):
            if indices.min() < 0 or indices.max() >= len(self.classes):
                raise ValueError(
                    f"{what} must lie in 0..{len(self.classes) - 1}, "
                    f"got {indices.min()}..{indices.max()}"
                )
        self._check_distributions()

    def _check_lengths(self) -> None:
        count = len(self.utterances)
        shapes = {
            "speakers": ((len(self.speakers),), (count,)),
            "units": ((len(self.independent),), (count,)),
            "folds": ((len(self.folds),), (count,)),
            "labels": (self.labels.shape, (count,)),
            "predicted": (self.predicted.shape, (count,)),
            "probabilities": (self.probabilities.shape, (count, len(self.classes))),
        }
        for what, (shape, wanted) in shapes.items():
            if shape != wanted:
                raise ValueError(f"{what} must have the shape {wanted}, got {shape}")

    def _check_distributions(self) -> None:
        # Every comparison with NaN is false, so that NaN is refused, too.
        valid = (self.probabilities >= 0).all(axis=1) & (
            np.abs(self.probabilities.sum(axis=1) - 1) <= 1e-4
        )
        if not valid.all():
            row = int(np.argmin(valid))
            raise ValueError(
                f"the probabilities of {self.utterances[row]!r} are no distribution: "
                f"{self.probabilities[row].tolist()}"
            )

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the columns of a table of utterances, by name; classes by name."""
        names: tuple[Sequence[Any], ...] = (
            *(self.utterances, self.speakers, self.independent, self.folds),
            [self.classes[label] for label in self.labels.tolist()],
            [self.classes[label] for label in self.predicted.tolist()],
        )
        probabilities = zip(self.classes, self.probabilities.T.tolist(), strict=True)
        return {
            **dict(zip(COLUMNS, names, strict=True)),
            **{PROBABILITY + name: values for name, values in probabilities},
        }

    def write_csv(self, path: Path) -> None:
        """Write a CSV file with one row for each utterance; see `columns`.

        Nine digits of a probability are enough to restore its float32.
        """
        columns = self.columns()
        with path.open("w", encoding="utf-8", newline="") as file:
            # Only the default dialect also quotes names that hold a line end.
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in zip(*columns.values(), strict=True):
                names, probabilities = row[: len(COLUMNS)], row[len(COLUMNS) :]
                writer.writerow([*names, *(f"{value:.9g}" for value in probabilities)])


@contextmanager
def naming_the_file(path: Path) -> Iterator[None]:
    """Say which file could not be read, in place of Python's error.

    Raises:
        BadResult: if the block raises an `OSError` or a `ValueError`.
    """
    try:
        yield
    except OSError as error:
        raise BadResult(f"{path} cannot be read: {error.strerror}") from error
    except BadResult:
        raise
    except ValueError as error:
        raise BadResult(f"{path}: {error}") from error


def read_csv(path: Path) -> Predictions:
    """Read a file that `Predictions.write_csv` wrote.

    Raises:
        BadResult: if the file is missing or damaged; the message gives the line.
    """
    with naming_the_file(path), path.open(encoding="utf-8", newline="") as file:
        return _read(file, path)


def _read(lines: Iterator[str], path: Path) -> Predictions:
    header, rows = parse_csv(lines, path, COLUMNS)
    classes = tuple(name.removeprefix(PROBABILITY) for name in header[len(COLUMNS) :])
    indices = {name: index for index, name in enumerate(classes)}

    def class_number(name: str) -> int:
        if name not in indices:
            raise ValueError(f"{name!r} is not one of {', '.join(classes)}")
        return indices[name]

    # Reading by columns takes half the time of reading by rows.
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    utterances, speakers, units, folds, label, predicted, *probabilities = columns
    try:
        values = list(map(numbers, probabilities))
    except ValueError:  # again, for the number of the line
        values = [_converted(column, number, path) for column in probabilities]
    return Predictions(
        utterances=utterances,
        speakers=speakers,
        folds=folds,
        classes=classes,
        labels=np.array(_converted(label, class_number, path), np.int64),
        predicted=np.array(_converted(predicted, class_number, path), np.int64),
        probabilities=np.array(values, np.float32).T.astype(np.float64),
        units=units if units != speakers else (),
    )


def parse_csv(
    lines: Iterator[str], path: Path, first: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file, all of one length.

    Args:
        path: The file, for messages.
        first: The names of the first columns.

    Raises:
        BadResult: if the file is no such CSV.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        rows = list(reader)
    except csv.Error as error:
        raise BadResult(f"{path}, line {reader.line_num}: {error}") from error
    if header[: len(first)] != [*first]:
        raise BadResult(f"{path}, line 1: the first columns must be {', '.join(first)}")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadResult(
                f"{path}, line {line}: {len(row)} fields instead of {len(header)}"
            )
    return header, rows


def _converted(
    column: Iterable[str], convert: Callable[[str], Number], path: Path
) -> list[Number]:
    values: list[Number] = []
    try:
        values.extend(map(convert, column))  # keeps the values before an error
    except ValueError as error:
        raise BadResult(f"{path}, line {len(values) + 2}: {error}") from error
    return values
