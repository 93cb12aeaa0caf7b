"""Predictions as counts: a confusion matrix for each unit of independence and fold.

Every metric and interval follows from the counts. They do not say which utterance was
predicted how, and the names of units and folds are digests, so that licences that
forbid to publish ids and labels allow them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.results.predictions import (
    Predictions,
    naming_the_file,
    parse_csv,
    read_csv,
)
from nserbench.errors import BadResult
from nserbench.plain_data import whole_number

KEYS = ("unit", "fold", "label")
COUNT = "n_"
"""Prefix of the column that counts the utterances predicted as a class."""
MOST = 1_000_000
"""Most utterances of a file."""
LARGEST = 2**27
"""Most numbers in the confusion matrices of a result: 1 GiB."""


@dataclass(frozen=True, slots=True)
class HiddenNames:
    """Digests in place of the names of units and folds, which may be speakers.

    They are keyed with all ids, speakers, units, folds and labels: equal for everybody
    who tests the same utterances, and of no use without the corpus.
    """

    units: Mapping[str, str]
    folds: Mapping[str, str]

    @classmethod
    def of(cls, predictions: Predictions) -> HiddenNames:
        """Return the digest of each unit and fold of some predictions."""
        units, folds = predictions.independent, predictions.folds
        labels = predictions.labels.tolist()
        names = predictions.utterances, predictions.speakers, units, folds, labels
        text = json.dumps([predictions.classes, sorted(zip(*names, strict=True))])
        key = hashlib.sha256(text.encode()).digest()
        return cls(_digests(units, key, b"unit"), _digests(folds, key, b"fold"))


def _digests(names: Sequence[str], key: bytes, kind: bytes) -> dict[str, str]:
    return {
        name: hashlib.blake2b(
            name.encode(), key=key, person=kind, digest_size=6
        ).hexdigest()
        for name in set(names)
    }


@dataclass(frozen=True, slots=True, eq=False)
class UnitCounts:
    """The predictions of a cell as counts.

    Attributes:
        units: Digest of each unit of independence, sorted.
        folds: Digest of each fold, sorted.
        answers: ``(units, folds, classes, classes)``, confusion matrices.
    """

    units: tuple[str, ...]
    folds: tuple[str, ...]
    classes: tuple[str, ...]
    answers: NDArray[np.int64]

    @classmethod
    def of(cls, predictions: PredictionsOrCounts) -> UnitCounts:
        """Count predictions under hidden names; counts are returned as they are."""
        if isinstance(predictions, UnitCounts):
            return predictions
        names = HiddenNames.of(predictions)
        units, folds, answers = _counted(predictions, names.units, names.folds)
        return cls(units, folds, predictions.classes, answers)

    @property
    def tested(self) -> str:
        """The digest of the test set: equal for the same utterances in the same folds.

        It is of the number of utterances by unit, fold and label. The names of units
        are digests of all ids, so that test sets with equal numbers differ.
        """
        support = self.answers.sum(axis=-1)
        rows = [
            (self.units[unit], self.folds[fold], label, int(support[unit, fold, label]))
            for unit, fold, label in np.argwhere(support).tolist()
        ]
        text = json.dumps([self.classes, rows])
        return hashlib.sha256(text.encode()).hexdigest()

    def write_csv(self, path: Path) -> None:
        """Write a row for each unit, fold and label that were tested together."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*KEYS, *(COUNT + name for name in self.classes)])
            for unit, fold, label in np.argwhere(self.answers.any(axis=-1)).tolist():
                names = self.units[unit], self.folds[fold], self.classes[label]
                writer.writerow([*names, *self.answers[unit, fold, label].tolist()])


PredictionsOrCounts: TypeAlias = Predictions | UnitCounts
"""What a result says of a cell: of each utterance, or of each unit and fold."""


def answers_by(
    predictions: PredictionsOrCounts,
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Count the predictions of each independent unit in each fold.

    Units are in the order of their hidden names, so that a unit has the same place in
    the counts of all who test the same utterances.

    Returns:
        The folds in sorted order, and confusion matrices ``(units, folds, classes,
        classes)``.
    """
    if isinstance(predictions, UnitCounts):
        return predictions.folds, predictions.answers
    units = HiddenNames.of(predictions).units
    _, folds, answers = _counted(
        predictions, units, {name: name for name in predictions.folds}
    )
    return folds, answers


def confusion_of(predictions: PredictionsOrCounts) -> NDArray[np.int64]:
    """Return the confusion matrix of all folds together, ``(classes, classes)``."""
    return np.asarray(answers_by(predictions)[1].sum(axis=(0, 1)))


def _counted(
    predictions: Predictions, units: Mapping[str, str], folds: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.int64]]:
    """Count predictions by the new names of units and folds.

    Returns:
        The new names of units and of folds, sorted, and confusion matrices.
    """
    sorted_units, unit = _numbered([units[one] for one in predictions.independent])
    sorted_folds, fold = _numbered([folds[one] for one in predictions.folds])
    shape = _shape(sorted_units, sorted_folds, predictions.classes)
    places = unit, fold, predictions.labels, predictions.predicted
    indices = np.ravel_multi_index(places, shape)
    counts = np.bincount(indices, minlength=math.prod(shape))
    return sorted_units, sorted_folds, counts.reshape(shape)


def _shape(
    units: Sequence[str], folds: Sequence[str], classes: Sequence[str]
) -> tuple[int, int, int, int]:
    """Return the shape of all confusion matrices.

    Raises:
        BadResult: if they have more than `LARGEST` numbers.
    """
    shape = len(units), len(folds), len(classes), len(classes)
    if math.prod(shape) > LARGEST:
        raise BadResult(
            f"{len(units)} units of independence in {len(folds)} folds, with "
            f"{len(classes)} classes, are too many to be counted"
        )
    return shape


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Return the different names in sorted order, and the number of each name."""
    different = tuple(sorted(set(names)))
    numbers = {name: number for number, name in enumerate(different)}
    return different, [numbers[name] for name in names]


def read_predictions(path: Path) -> PredictionsOrCounts:
    """Read a file that a `write_csv` of predictions or of counts wrote.

    Raises:
        BadResult: if the file is missing or damaged.
    """
    start = ",".join(KEYS).encode()
    with naming_the_file(path):
        with path.open("rb") as stream:
            has_counts = stream.read(len(start)) == start
        if not has_counts:
            return read_csv(path)
        with path.open(encoding="utf-8", newline="") as file:
            return _read_counts(file, path)


def _read_counts(lines: Iterator[str], path: Path) -> UnitCounts:
    header, rows = parse_csv(lines, path, KEYS)
    classes = tuple(name.removeprefix(COUNT) for name in header[len(KEYS) :])
    if len(set(classes)) != len(classes):
        raise BadResult(f"{path}, line 1: a class occurs more than once")
    for line, (_, _, label, *_) in enumerate(rows, start=2):
        if label not in classes:
            raise BadResult(f"{path}, line {line}: {label!r} is not one of the classes")
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    (units, unit), (folds, fold) = map(_numbered, columns[:2])
    labels = [classes.index(label) for label in columns[2]]
    texts = (row[len(KEYS) :] for row in rows)
    counts = [[whole_number(text, most=MOST) for text in row] for row in texts]
    if not 0 < sum(map(sum, counts)) <= MOST:
        raise BadResult(f"{path}: there must be 1 to {MOST} predictions")
    answers = np.zeros(_shape(units, folds, classes), np.int64)
    np.add.at(answers, (unit, fold, labels), np.array(counts, np.int64))
    return UnitCounts(units, folds, classes, answers)
