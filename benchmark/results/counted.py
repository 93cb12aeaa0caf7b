"""Predictions without ids: counts by unit, fold and class, as CSV on disk.

Every metric and interval follows from the counts. They do not say which utterance was
predicted how, so that licences that forbid to publish ids and labels allow them.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from nserbench.benchmark.results.predictions import Predictions, parse_csv, read_csv
from nserbench.errors import BadResult
from nserbench.plain_data import whole_number

KEYS = ("unit", "fold", "label")
COUNT = "n_"
"""Prefix of the column that counts the utterances predicted as a class."""
MOST = 1_000_000
"""Most utterances of a file, so that a made-up count does not fill the memory."""

Row = tuple[str, str, int, int]
"""Unit, fold, label and predicted class of an utterance."""


def without_ids(predictions: Predictions) -> Predictions:
    """Return predictions that can be written as counts; unchanged if they are.

    Utterances are numbered in the order of their rows, and the predicted class has the
    probability 1. Names of units are digests, salted with all ids and labels: equal for
    everybody who tests the same utterances, and of no use without the corpus.
    """
    if predictions.counted:
        return predictions
    labels, predicted = predictions.labels.tolist(), predictions.predicted.tolist()
    ids = zip(predictions.utterances, predictions.speakers, labels, strict=True)
    salt = json.dumps([predictions.classes, sorted(ids)])
    names = {
        unit: hashlib.sha256(f"{salt}{unit}".encode()).hexdigest()[:12]
        for unit in predictions.independent
    }
    units = [names[unit] for unit in predictions.independent]
    rows = zip(units, predictions.folds, labels, predicted, strict=True)
    return _of_rows(predictions.classes, rows)


def _of_rows(classes: tuple[str, ...], rows: Iterable[Row]) -> Predictions:
    units, folds, labels, predicted = zip(*sorted(rows), strict=True)
    return Predictions(
        utterances=tuple(f"#{number}" for number in range(1, len(units) + 1)),
        speakers=units,
        folds=folds,
        classes=classes,
        labels=np.array(labels, np.int64),
        predicted=np.array(predicted, np.int64),
        probabilities=np.eye(len(classes))[list(predicted)],
        counted=True,
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions as rows, or those without ids as counts."""
    if not predictions.counted:
        predictions.write_csv(path)
        return
    columns = (
        *(predictions.speakers, predictions.folds),
        *(predictions.labels.tolist(), predictions.predicted.tolist()),
    )
    counts = Counter(zip(*columns, strict=True))
    numbers = range(len(predictions.classes))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*KEYS, *(COUNT + name for name in predictions.classes)])
        for unit, fold, label in sorted({row[:3] for row in counts}):
            found = [counts[unit, fold, label, number] for number in numbers]
            writer.writerow([unit, fold, predictions.classes[label], *found])


def read_predictions(path: Path) -> Predictions:
    """Read a file that `write_predictions` wrote.

    Raises:
        BadResult: if the file is missing or damaged.
    """
    start = ",".join(KEYS).encode()
    try:
        with path.open("rb") as stream:
            has_counts = stream.read(len(start)) == start
        if not has_counts:
            return read_csv(path)
        with path.open(encoding="utf-8", newline="") as file:
            return _read_counts(file, path)
    except OSError as error:
        raise BadResult(f"{path} cannot be read: {error.strerror}") from error
    except BadResult:
        raise
    except ValueError as error:
        raise BadResult(f"{path}: {error}") from error


def _read_counts(lines: Iterator[str], path: Path) -> Predictions:
    header, rows = parse_csv(lines, path, KEYS)
    classes = tuple(name.removeprefix(COUNT) for name in header[len(KEYS) :])
    found: Counter[Row] = Counter()
    for line, (unit, fold, label, *counts) in enumerate(rows, start=2):
        if label not in classes:
            raise BadResult(f"{path}, line {line}: {label!r} is not one of the classes")
        for predicted, count in enumerate(counts):
            row = unit, fold, classes.index(label), predicted
            found[row] += whole_number(count, most=MOST)
    if not 0 < found.total() <= MOST:
        raise BadResult(f"{path}: there must be 1 to {MOST} predictions")
    return _of_rows(classes, found.elements())
