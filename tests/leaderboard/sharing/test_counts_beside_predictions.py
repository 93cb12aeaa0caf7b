import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import SENDER, publishable
from labs import SPEAKERS, add, details, predictions
from scipy.stats import t
from values import not_none

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_result, read_results
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import NserbenchError
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.sharing.board import check_board
from nserbench.leaderboard.sharing.merge import merge
from nserbench.leaderboard.sharing.submit import Sender, submit
from nserbench.leaderboard.sharing.without_ids import id_flaws, result_without_ids
from nserbench.leaderboard.tables.summary import summary_table

NAME = "manifest:path=notes"
"""A corpus whose licence the sender may name; otherwise counts are sent."""
NAMES = sorted(set(SPEAKERS))
LOSO = details(folds={name: {"train": 6, "test": 2} for name in NAMES})
BY_FOLD = {name: {"losses": [1.0]} for name in NAMES}


def in_counts(folder: Path, where: Path) -> Path:
    """Write a result again, with counts in place of ids."""
    return write_result(where, result_without_ids(read_result(folder)))


def test_a_board_may_have_counts_and_predictions_of_a_corpus(
    tmp_path: Path, plugins: Plugins
) -> None:
    board = tmp_path / "board"
    publishable(tmp_path / "a", "mel", corpus=NAME)
    publishable(tmp_path / "b", "wavlm", corpus=NAME)
    licensed = Sender(name="Ann", licences={NAME: "CC0-1.0"})

    submit(tmp_path / "a", board / "ann", licensed, plugins)
    submit(tmp_path / "b", board / "bob", SENDER, plugins)

    assert check_board(board, plugins).results == 2
    (full,), (counted,) = (read_results(board / name) for name in ("ann", "bob"))
    assert full.counts is None
    assert counted.predictions is None


def test_counts_and_predictions_are_compared_in_one_table(tmp_path: Path) -> None:
    add(tmp_path / "both", "mel", found=predictions("10101010"))
    full = add(tmp_path / "both", "wavlm")
    add(tmp_path / "mixed", "mel", found=predictions("10101010"))
    in_counts(full, tmp_path / "mixed")

    mixed = summary_table(tmp_path / "mixed", ["uar"])

    assert mixed == summary_table(tmp_path / "both", ["uar"])


def test_counts_of_other_utterances_cannot_be_compared(tmp_path: Path) -> None:
    add(tmp_path / "a", "mel")
    other = predictions(utterances=("x", *(f"u{number}" for number in range(1, 8))))
    in_counts(add(tmp_path / "lab", "wavlm", found=other), tmp_path / "b")

    with pytest.raises(NserbenchError, match="utterances, labels, speakers and folds"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")


def test_a_cell_may_be_there_in_both_forms(tmp_path: Path) -> None:
    in_counts(add(tmp_path / "a"), tmp_path / "b")

    report = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")

    assert report.written == {tmp_path / "out": 1}


def test_counts_of_other_answers_of_a_cell_are_refused(tmp_path: Path) -> None:
    add(tmp_path / "a")
    in_counts(add(tmp_path / "lab", found=predictions("11111110")), tmp_path / "b")

    with pytest.raises(NserbenchError, match="answers of mel x mean"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")


def test_no_speaker_is_named_where_each_is_a_fold(
    tmp_path: Path, plugins: Plugins
) -> None:
    notes = {"training": BY_FOLD, "flags": {"cid": ["dead head: x"]}}
    publishable(
        tmp_path / "lab",
        corpus="savee",
        found=predictions(folds=SPEAKERS),
        protocol_details=LOSO,
        notes=notes,
    )

    submit(tmp_path / "lab", tmp_path / "board" / "x", Sender(name="Lab"), plugins)

    check_board(tmp_path / "board", plugins)
    (result,) = read_results(tmp_path / "board" / "x")
    assert result.notes.keys() == notes.keys()
    files = [file for file in (tmp_path / "board").rglob("*") if file.is_file()]
    written = " ".join(file.read_text() for file in files)
    assert not any(f"{mark}{name}" in written for name in NAMES for mark in '",')


def test_the_order_of_folds_names_no_speaker(tmp_path: Path) -> None:
    folder = add(
        tmp_path / "lab",
        found=predictions(folds=SPEAKERS),
        protocol_details=LOSO,
        notes={"training": BY_FOLD},
    )

    file = in_counts(folder, tmp_path / "out") / "result.json"

    content = json.loads(file.read_text())
    folds = list(content["notes"]["training"])
    assert folds == sorted(folds)
    assert list(content["protocol"]["folds"]) == folds
    assert list(content["metrics"]["uar"]["folds"]) == folds


@pytest.mark.parametrize(
    ("changes", "notes", "said"),
    [
        ({"folds": tuple(NAMES)}, {}, "names of folds that are no digests"),
        ({"units": tuple(NAMES)}, {}, "names of units that are no digests"),
        ({}, {"training": BY_FOLD}, "may have names of folds: training"),
        ({}, {"left_out": {"u9": "broken"}}, "may have ids: left_out"),
        ({}, {"cut": ["u1"]}, "may have ids: cut"),
    ],
)
def test_names_of_speakers_and_utterances_are_found(
    tmp_path: Path, changes: Mapping[str, Any], notes: Mapping[str, Any], said: str
) -> None:
    full = read_result(
        add(tmp_path, found=predictions(folds=SPEAKERS), protocol_details=LOSO)
    )
    hidden = result_without_ids(full)
    counts = replace(not_none(hidden.counts), **changes)

    (flaw,) = id_flaws(replace(hidden, notes=notes, counts=counts), counts)

    assert said in flaw


def speech(seed: int, skill: float) -> Predictions:
    """Return predictions for 12 speakers in 3 folds, 30 utterances each."""
    labels = np.arange(360) % 2
    right = np.random.default_rng(seed).random(360) < skill
    predicted = np.where(right, labels, 1 - labels)
    return predictions(
        utterances=tuple(f"u{number}" for number in range(360)),
        speakers=tuple(f"speaker {number // 30}" for number in range(360)),
        folds=tuple(str(number // 120) for number in range(360)),
        labels=labels,
        predicted=predicted,
        probabilities=np.where(np.eye(2)[predicted] == 1, 0.75, 0.25),
    )


def right_in_units(file: Path) -> list[tuple[int, int]]:
    """Read counts by hand: the right answers of each unit, by class."""
    found: dict[str, dict[str, int]] = {}
    with file.open(newline="") as rows:
        for row in csv.DictReader(rows):
            right = found.setdefault(row["unit"], {})
            right[row["label"]] = int(row[f"n_{row['label']}"])
    return [(right["anger"], right["neutral"]) for right in found.values()]


def right_of_speakers(run: Predictions) -> list[tuple[int, int]]:
    right = (run.labels == run.predicted).reshape(12, 15, 2).sum(axis=1)
    return [(int(anger), int(neutral)) for anger, neutral in right]


def test_a_paired_interval_of_counts_and_predictions_is_that_by_hand(
    tmp_path: Path,
) -> None:
    protocol = details(folds={fold: {"train": 240, "test": 120} for fold in "012"})
    ours, theirs = speech(0, 0.8), speech(4, 0.7)
    add(tmp_path / "mixed", "mel", found=ours, protocol_details=protocol)
    full = add(tmp_path / "lab", "wavlm", found=theirs, protocol_details=protocol)
    file = in_counts(full, tmp_path / "mixed") / "predictions.csv"

    cells, _ = read_cells([tmp_path / "mixed"])

    first, second = (
        Sample.of({0: not_none(result.counts)}, "accuracy")
        for (result,) in cells.values()
    )
    found = not_none(first.minus(second))
    value, low, high = by_hand(ours, theirs, right_in_units(file))
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def by_hand(
    ours: Predictions, theirs: Predictions, units: Sequence[tuple[int, int]]
) -> tuple[float, float, float]:
    """Return a difference of accuracies and its interval, by the draws of speakers.

    Args:
        units: The right answers of each unit of the file, which tell who it is.
    """
    known = right_of_speakers(theirs)
    assert len(set(known)) == 12
    speakers = [known.index(right) for right in units]
    gained = np.array(right_of_speakers(ours)) - np.array(known)
    by_unit = gained.sum(axis=1)[speakers]
    times = np.random.default_rng(0).multinomial(12, [1 / 12] * 12, size=2000)
    value = by_unit.sum() / 360
    error = np.sqrt(np.mean((times @ by_unit / 360 - value) ** 2) * 12 / 11)
    reach = t.ppf(0.975, 11) * error
    return value, value - reach, value + reach
