import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nserbench.benchmark.results.predictions import Predictions, read_csv
from nserbench.errors import BadResult

PREDICTIONS = Predictions(
    utterances=("a1", "a2", "b1"),
    speakers=("ann", "ann", "bob"),
    folds=("1", "1", "2"),
    classes=("anger", "neutral"),
    labels=np.array([0, 1, 1]),
    predicted=np.array([0, 0, 1]),
    probabilities=np.array([[1.0, 0.0], [0.75, 0.25], [0.125, 0.875]]),
)
TEXT = """\
utterance,speaker,unit,fold,label,predicted,p_anger,p_neutral
a1,ann,ann,1,anger,anger,1,0
a2,ann,ann,1,neutral,anger,0.75,0.25
b1,bob,bob,2,neutral,neutral,0.125,0.875
"""


def assert_same(found: Predictions, wanted: Predictions) -> None:
    for field in dataclasses.fields(Predictions):
        np.testing.assert_array_equal(
            getattr(found, field.name), getattr(wanted, field.name), strict=True
        )


def test_a_file_names_classes_and_does_not_number_them(tmp_path: Path) -> None:
    PREDICTIONS.write_csv(tmp_path / "p.csv")

    assert (tmp_path / "p.csv").read_text(encoding="utf-8") == TEXT


def test_reading_restores_float32_probabilities_exactly(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(500, 3)) * 9
    single = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    numbers = np.arange(500)
    written = Predictions(
        utterances=tuple(map(str, numbers)),
        speakers=tuple(map(str, numbers % 7)),
        folds=tuple(map(str, numbers % 2)),
        classes=("x", "y", "z"),
        labels=numbers % 3,
        predicted=single.argmax(1),
        probabilities=single.astype(np.float64),
    )

    written.write_csv(tmp_path / "p.csv")

    assert_same(read_csv(tmp_path / "p.csv"), written)


def test_the_independent_unit_is_kept_where_it_is_not_the_speaker(
    tmp_path: Path,
) -> None:
    written = dataclasses.replace(PREDICTIONS, units=("d1", "d2", "d2"))

    written.write_csv(tmp_path / "p.csv")

    read = read_csv(tmp_path / "p.csv")
    assert read.independent == ("d1", "d2", "d2")
    assert PREDICTIONS.independent == ("ann", "ann", "bob")
    assert_same(read, written)


@pytest.mark.parametrize(
    "name", ["a,b", 'a"b', "a\nb", "a\rb", " a ", "ä 憤怒", "=1+1"]
)
def test_any_name_is_written_and_read_unchanged(tmp_path: Path, name: str) -> None:
    written = dataclasses.replace(
        PREDICTIONS,
        utterances=(name, "a2", "b1"),
        speakers=(name, "ann", "bob"),
        classes=("anger", name),
    )

    written.write_csv(tmp_path / "p.csv")

    assert_same(read_csv(tmp_path / "p.csv"), written)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("bob,2,neutral", "bob,2,joy", ", line 4: 'joy' is not one of anger"),
        ("a2,ann,", "a2,", ", line 3: 7 fields instead of 8"),
        ("0.75", "much", ", line 3: 'much' is not a number"),
        ("speaker", "person", ", line 1: the first columns must be utterance, sp"),
        ("b1,bob", '"b1,bob', ", line 4: unexpected end of data"),
        ("0.875", "0.8", ": the probabilities of 'b1' are no distribution"),
        ("0.875", "nan", ", line 4: 'nan' is not a number"),
        ("b1,", "a1,", ": the utterance 'a1' occurs more than once"),
        ("p_neutral", "p_anger", ", line 3: 'neutral' is not one of anger, anger"),
        (TEXT.partition("\n")[2], "", ": there are no predictions"),
        (TEXT, "", ", line 1: the first columns must be utterance, sp"),
    ],
)
def test_the_error_of_a_damaged_file_gives_its_line(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")

    with pytest.raises(BadResult) as caught:
        read_csv(path)

    assert str(caught.value).startswith(f"{path}{problem}")


def test_the_error_of_a_file_that_is_not_text_gives_its_path(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(TEXT.encode() + b"\xff\xfe")

    with pytest.raises(BadResult, match=r"p\.csv: 'utf-8' codec"):
        read_csv(path)


def test_the_error_of_a_missing_file_gives_its_path(tmp_path: Path) -> None:
    with pytest.raises(BadResult, match=r"p\.csv cannot be read: No such file"):
        read_csv(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"speakers": ("ann",)}, "speakers must have the shape"),
        ({"labels": np.array([0, 1])}, "labels must have the shape"),
        ({"labels": np.array([0, 1, 2])}, "label must lie in 0..1, got 0..2"),
        ({"predicted": np.array([-1, 1, 1])}, "predicted must lie in 0..1"),
        ({"classes": ("x", "x")}, "the class 'x' occurs more than once"),
        ({"classes": ("x", "y", "z")}, "probabilities must have the shape"),
    ],
)
def test_predictions_that_contradict_each_other_are_refused(
    change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        dataclasses.replace(PREDICTIONS, **change)
