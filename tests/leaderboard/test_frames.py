import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score

import nserbench as nb
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.write_results import write_result

CLASSES = ("a<b", "sad", "calm")


def result(seed: int = 0, **other: Any) -> Result:
    """Return the result of a cell of 60 utterances by 6 speakers in 2 folds."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet((1, 1, 1), 60)
    labels = np.arange(60) % 3
    probabilities[np.arange(60), labels] += 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"s{number % 6}" for number in range(60)]
    predictions = Predictions(
        utterances=tuple(f"u{number}" for number in range(60)),
        speakers=tuple(names),
        folds=tuple(str(int(name[1]) % 2) for name in names),
        classes=CLASSES,
        labels=labels,
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
    )
    about: dict[str, Any] = {
        "status": "done",
        "digest": f"{seed}ab",
        "upstream": "mel",
        "downstream": "mean",
        "corpus": "<demo>",
        "condition": "clean",
        "protocol": "probe",
        "seed": seed,
        "protocol_details": {"version": 2},
        "classes": CLASSES,
        "predictions": predictions,
        "costs": {"seconds": 1.5, "peak_memory_bytes": None},
        "provenance": {"finished": "2026-01-01T00:00:00+00:00"},
    }
    return Result(**{**about, **other})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two seeds of one cell, and a cell that failed."""
    failed = {"status": "failed", "reason": "<out> of order", "predictions": None}
    for one in (result(0), result(1), result(2, downstream="last", **failed)):
        write_result(tmp_path, one)
    return tmp_path


def test_a_frame_has_a_row_for_each_cell_and_metric(folder: Path) -> None:
    results = nb.load_results(folder)

    frame = results.to_frame(["uar", "accuracy"])

    assert frame[
        ["downstream", "seed", "metric", "status", "n", "units"]
    ].values.tolist() == [
        ["last", 2, "uar", "failed", 0, 0],
        ["last", 2, "accuracy", "failed", 0, 0],
        ["mean", 0, "uar", "done", 60, 6],
        ["mean", 0, "accuracy", "done", 60, 6],
        ["mean", 1, "uar", "done", 60, 6],
        ["mean", 1, "accuracy", "done", 60, 6],
    ]
    assert frame["seconds"].tolist()[2:] == [1.5] * 4
    assert results.failures == {
        "mel x last x <demo> clean (probe, seed 2)": "<out> of order"
    }
    assert repr(results) == f"<3 results in {folder}: 1 failed, 2 done>"


def test_numbers_are_those_of_the_predictions_and_of_the_result_file(
    folder: Path,
) -> None:
    results = nb.load_results(folder)
    frame = results.to_frame("uar,f1").set_index(["downstream", "seed", "metric"])

    predictions = results.predictions()

    assert len(predictions) == 120
    for seed, of_seed in predictions.groupby("seed"):
        folds = [part for _, part in of_seed.groupby("fold")]
        uar = [recall_score(p["label"], p["predicted"], average="macro") for p in folds]
        f1 = [f1_score(p["label"], p["predicted"], average="macro") for p in folds]
        assert frame.loc[("mean", seed, "uar"), "mean"] == pytest.approx(np.mean(uar))
        assert frame.loc[("mean", seed, "f1_macro"), "mean"] == pytest.approx(
            np.mean(f1)
        )
        (file,) = folder.glob(f"*_s{seed}_*/result.json")
        written = json.loads(file.read_text())["metrics"]["uar"]
        row = frame.loc["mean"].loc[seed].T["uar"]
        assert row[["mean", "low", "high", "chance"]].tolist() == pytest.approx(
            [written["value"], written["low"], written["high"], written["chance"]]
        )


def test_a_leaderboard_frame_has_the_numbers_of_the_csv_file(folder: Path) -> None:
    board = nb.leaderboard(folder, metric="uar", against="mel x mean")

    frame = board.to_frame()

    done = frame[frame["status"] == "done"].iloc[0]
    single = nb.load_results(folder).to_frame("uar")
    mean = single.loc[single["status"] == "done", "mean"].mean()
    assert done["value"] == pytest.approx(mean)
    assert done["seeds"] == [0, 1]
    assert frame["status"].tolist() == ["failed", "done"]


def test_a_notebook_shows_the_table_with_its_notes_and_no_markup_of_names(
    folder: Path,
) -> None:
    board = nb.leaderboard(nb.load_results(folder))

    page = board._repr_html_()

    assert "<th>&lt;demo&gt; clean" in page
    assert "<demo>" not in page
    assert "<out>" not in page
    for note in board.notes:
        assert note.replace("<", "&lt;").replace(">", "&gt;") in page
    assert nb.load_results(folder)._repr_html_() == page
    assert str(board).splitlines()[0].split() == ["<demo>"]


def test_only_the_newest_result_of_a_cell_counts(folder: Path) -> None:
    later = {"finished": "2026-01-02T00:00:00+00:00", "corpus": "other"}
    write_result(folder, result(0, digest="cd", provenance=later))

    results = nb.load_results(folder)

    assert len(results) == 3
    assert results.notes
    assert set(results.notes) <= set(nb.leaderboard(folder).notes)


def test_some_results_have_a_leaderboard_of_their_own(folder: Path) -> None:
    every = nb.load_results(folder)

    some = nb.Results(folder, [path for path in every.folders if "_s0_" in path.name])

    assert len(some) == 1
    assert nb.leaderboard(some).to_frame()["seeds"].tolist() == [[0], [0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: nb.leaderboard(folder, metric="wer"), "unknown metric 'wer'"),
        (lambda folder: nb.leaderboard(folder, against="mel"), "not 'UPSTREAM x HEAD'"),
        (lambda folder: nb.load_results(folder / "no"), "is not a folder"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, call: Any, message: str) -> None:
    with pytest.raises(nb.NserbenchError, match=message):
        call(folder)


def test_the_folder_of_the_settings_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSERBENCH_RESULTS", str(folder))

    assert len(nb.load_results()) == 3
    assert isinstance(nb.leaderboard().to_frame(), pd.DataFrame)
