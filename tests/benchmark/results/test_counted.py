from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from values import not_none

from nserbench.benchmark.results.counted import (
    MOST,
    HiddenNames,
    UnitCounts,
    answers_by,
    read_predictions,
)
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.predictions import Predictions
from nserbench.errors import BadResult

SPEAKERS = ("ann", "ann", "bob", "bob", "cid", "cid", "dot", "dot")
HEADER = "unit,fold,label,n_anger,n_calm\n"


def predictions(
    predicted: Sequence[int] = (0, 1, 1, 1, 0, 0, 0, 1), **changes: Any
) -> Predictions:
    fields: dict[str, Any] = {
        "utterances": tuple(f"u{number}" for number in range(8)),
        "speakers": SPEAKERS,
        "folds": SPEAKERS,  # each speaker is a fold, as with loso
        "classes": ("anger", "calm"),
        "labels": np.arange(8) % 2,
        "predicted": np.array(predicted),
        "probabilities": np.eye(2)[list(predicted)] * 0.5 + 0.25,
    }
    return Predictions(**{**fields, **changes})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "predictions.csv"


def test_each_unit_has_the_same_place_and_counts_as_in_the_predictions() -> None:
    full = predictions()

    counts = UnitCounts.of(full)

    names = HiddenNames.of(full)
    folds, answers = answers_by(full)
    place = [counts.folds.index(names.folds[fold]) for fold in folds]
    assert counts.answers[:, place].tolist() == answers.tolist()
    assert counts.units == tuple(sorted(names.units.values()))


def test_scores_and_intervals_of_counts_are_those_of_the_predictions() -> None:
    full = predictions()

    found = summarise(UnitCounts.of(full))

    for name, wanted in summarise(full).items():
        numbers = (found[name].value, found[name].low, found[name].high)
        assert numbers == pytest.approx((wanted.value, wanted.low, wanted.high))


def test_counts_are_read_as_they_were_written(file: Path) -> None:
    counts = UnitCounts.of(predictions())
    counts.write_csv(file)

    read = read_predictions(file)

    assert isinstance(read, UnitCounts)
    assert (read.units, read.folds, read.classes) == (
        *(counts.units, counts.folds),
        counts.classes,
    )
    assert read.answers.tolist() == counts.answers.tolist()
    assert read.tested == counts.tested
    assert UnitCounts.of(read) is read


def test_neither_ids_nor_speakers_nor_folds_are_written(file: Path) -> None:
    UnitCounts.of(predictions()).write_csv(file)

    written = file.read_text()

    assert len(written.splitlines()) == 1 + 8  # four speakers, two classes
    assert not any(name in written for name in (*SPEAKERS, "u1"))


def test_a_speaker_has_another_name_as_a_fold() -> None:
    names = HiddenNames.of(predictions())

    assert set(names.units.values()).isdisjoint(names.folds.values())


def test_what_was_tested_is_the_same_whatever_was_predicted_and_in_which_order() -> (
    None
):
    full = predictions()
    backwards = {
        name: getattr(full, name)[::-1]
        for name in ("utterances", "speakers", "folds", "labels")
    }

    other = UnitCounts.of(predictions((1, 1, 1, 1, 0, 0, 0, 0), **backwards))

    assert other.units == UnitCounts.of(full).units
    assert other.tested == UnitCounts.of(full).tested


@pytest.mark.parametrize(
    "changes",
    [
        {"utterances": ("x", *(f"u{number}" for number in range(1, 8)))},
        {"labels": (np.arange(8) + 1) % 2},
        {"folds": tuple("11112222")},
        {"units": tuple("aaaabbbb")},
        {"classes": ("anger", "joy")},
    ],
)
def test_other_utterances_labels_folds_or_units_are_another_test_set(
    changes: dict[str, Any],
) -> None:
    known = UnitCounts.of(predictions())

    other = UnitCounts.of(predictions(**changes))

    assert other.tested != known.tested
    assert set(other.units).isdisjoint(known.units)


def test_predictions_with_ids_are_written_as_rows(file: Path) -> None:
    predictions().write_csv(file)

    read = read_predictions(file)

    assert isinstance(read, Predictions)
    assert read.utterances == predictions().utterances


def test_as_many_utterances_as_a_file_may_have_are_counted_at_once(file: Path) -> None:
    file.write_text(f"{HEADER}a,1,anger,{MOST - 1},0\nb,1,calm,1,0\n")

    read = read_predictions(file)

    assert summarise(read)["accuracy"].pooled == 1 - 1 / MOST
    assert not_none(summarise(read)["uar"].low) >= 0


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
        ("".join(f"{n},{n},calm,1,0\n" for n in range(6000)), "too many to be"),
    ],
)
def test_damaged_counts_are_refused(file: Path, rows: str, said: str) -> None:
    file.write_text(HEADER + rows)

    with pytest.raises(BadResult, match=said):
        read_predictions(file)


def test_a_missing_file_is_refused(file: Path) -> None:
    with pytest.raises(BadResult, match=r"predictions\.csv cannot be read"):
        read_predictions(file)
