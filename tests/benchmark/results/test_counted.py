from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nserbench.benchmark.results.counted import (
    MOST,
    read_predictions,
    without_ids,
    write_predictions,
)
from nserbench.benchmark.results.metrics import answers_by
from nserbench.benchmark.results.predictions import Predictions
from nserbench.errors import BadResult

SPEAKERS = ("ann", "ann", "bob", "bob", "cid", "cid", "dot", "dot")
HEADER = "unit,fold,label,n_anger,n_calm\n"


def predictions(
    predicted: Sequence[int] = (0, 1, 1, 1, 0, 0, 0, 1), first: str = "u0"
) -> Predictions:
    return Predictions(
        utterances=(first, *(f"u{number}" for number in range(1, 8))),
        speakers=SPEAKERS,
        folds=tuple("11112222"),
        classes=("anger", "calm"),
        labels=np.arange(8) % 2,
        predicted=np.array(predicted),
        probabilities=np.eye(2)[list(predicted)] * 0.5 + 0.25,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "predictions.csv"


def test_the_confusion_matrices_of_units_and_folds_are_kept() -> None:
    full = predictions()

    counted = without_ids(full)

    (folds, wanted), (kept, found) = answers_by(full), answers_by(counted)
    assert kept == folds
    assert sorted(found.tolist()) == sorted(wanted.tolist())


def test_counts_are_read_as_they_were_written(file: Path) -> None:
    counted = without_ids(predictions())
    write_predictions(counted, file)

    read = read_predictions(file)

    assert read.counted
    assert (read.utterances, read.speakers) == (counted.utterances, counted.speakers)
    assert (read.folds, read.classes) == (counted.folds, counted.classes)
    assert read.labels.tolist() == counted.labels.tolist()
    assert read.predicted.tolist() == counted.predicted.tolist()
    assert without_ids(read) is read


def test_neither_ids_nor_speakers_are_written(file: Path) -> None:
    write_predictions(without_ids(predictions()), file)

    written = file.read_text()

    assert len(written.splitlines()) == 1 + 8  # four speakers, two classes
    assert not any(name in written for name in (*SPEAKERS, "u1"))


def test_units_have_the_same_names_for_all_who_test_the_same_utterances() -> None:
    one = without_ids(predictions())
    other_answers = without_ids(predictions((1, 1, 1, 1, 0, 0, 0, 0)))
    other_corpus = without_ids(predictions(first="x"))

    assert other_answers.speakers == one.speakers
    assert other_answers.labels.tolist() == one.labels.tolist()
    assert set(other_corpus.speakers).isdisjoint(one.speakers)


def test_predictions_with_ids_are_written_as_rows(file: Path) -> None:
    write_predictions(predictions(), file)

    read = read_predictions(file)

    assert not read.counted
    assert read.utterances == predictions().utterances


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,1,anger,1\n", "line 2: 4 fields instead of 5"),
        ("a,1,joy,1,0\n", "line 2: 'joy' is not one of the classes"),
        ("a,1,anger,-1,2\n", "'-1' is not a whole number"),
        ("a,1,anger,1.5,2\n", "'1.5' is not a whole number"),
        (f"a,1,anger,{MOST + 1},0\n", "is not a whole number"),
        (f"a,1,anger,{MOST},1\n", "there must be 1 to"),
        ("a,1,anger,0,0\n", "there must be 1 to"),
        ("", "there must be 1 to"),
    ],
)
def test_damaged_counts_are_refused(file: Path, rows: str, said: str) -> None:
    file.write_text(HEADER + rows)

    with pytest.raises(BadResult, match=said):
        read_predictions(file)


def test_a_missing_file_is_refused(file: Path) -> None:
    with pytest.raises(BadResult, match=r"predictions\.csv cannot be read"):
        read_predictions(file)
