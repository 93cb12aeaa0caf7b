import dataclasses
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from nserbench.benchmark.results import write_results as module
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import (
    ResultFile,
    read_result,
    read_results,
)
from nserbench.benchmark.results.result import CellName, Result
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import BadResult

PREDICTIONS = Predictions(
    utterances=("a1", "a2", "b1", "b2"),
    speakers=("ann", "ann", "bob", "bob"),
    folds=("1", "1", "2", "2"),
    classes=("anger", "neutral"),
    labels=np.array([0, 1, 0, 1]),
    predicted=np.array([0, 1, 0, 0]),
    probabilities=np.array([[1.0, 0.0], [0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]),
)
OTHER = dataclasses.replace(PREDICTIONS, predicted=np.array([0, 1, 0, 1]))
DONE = Result(
    status="done",
    digest="0123456789abcdef",
    upstream="mel",
    downstream="fc",
    corpus="emodb",
    condition="park@0",
    protocol="probe",
    seed=0,
    protocol_details=MappingProxyType({"name": "probe", "recipe": {"epochs": 50}}),
    classes=("anger", "neutral"),
    predictions=PREDICTIONS,
    recognition={"measure": "WER", "rate": 0.25},
    costs={"seconds": 1.5, "bytes": None},
    provenance={"finished": "2026-11-22T10:00:00+00:00"},
    notes={"padded": ["a1"]},
)
FAILED = dataclasses.replace(
    DONE, status="failed", reason="out of memory", classes=(), predictions=None
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def test_a_result_is_written_as_documented(root: Path) -> None:
    folder = write_result(root, DONE)

    assert sorted(path.name for path in folder.iterdir()) == [
        "predictions.csv",
        "result.json",
    ]
    # Of two speakers, one is classified well: the interval is the whole range.
    ends = {"low": pytest.approx(0, abs=1e-6), "high": pytest.approx(1, abs=1e-6)}
    half = {"value": 0.75, "mean": 0.75, "pooled": 0.75, "chance": 0.5, **ends}
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    f1 = content["metrics"].pop("f1_macro")
    f1_weighted = content["metrics"].pop("f1_weighted")
    assert f1 == f1_weighted
    assert f1["folds"] == pytest.approx({"1": 1.0, "2": 1 / 3})
    digests = content.pop("digests")
    csv = (folder / "predictions.csv").read_bytes().replace(b"\r\n", b"\n")
    assert digests["predictions.csv"] == hashlib.sha256(csv).hexdigest()
    assert content == {
        "schema": 2,
        "status": "done",
        "reason": None,
        "digest": "0123456789abcdef",
        "cell": {
            "upstream": "mel",
            "downstream": "fc",
            "corpus": "emodb",
            "condition": "park@0",
            "protocol": "probe",
            "seed": 0,
        },
        "protocol": {"name": "probe", "recipe": {"epochs": 50}},
        "classes": ["anger", "neutral"],
        "recognition": {"measure": "WER", "rate": 0.25},
        "costs": {"seconds": 1.5, "bytes": None},
        "provenance": {"finished": "2026-11-22T10:00:00+00:00"},
        "notes": {"padded": ["a1"]},
        "metrics": {
            "uar": {**half, "folds": {"1": 1.0, "2": 0.5}},
            "accuracy": {**half, "folds": {"1": 1.0, "2": 0.5}},
        },
        "confusion": [[2, 0], [1, 1]],
    }


@pytest.mark.parametrize("name", ["result.json", "predictions.csv"])
def test_no_byte_of_a_result_changes_without_a_word(root: Path, name: str) -> None:
    file = write_result(root, DONE) / name
    content = file.read_bytes()
    field = content.find(
        b'"digests"'
    )  # without it, a result is one of an older version

    for place in set(range(len(content))) - set(range(field, field + 9)):
        changed = bytearray(content)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(BadResult):
            read_result(file.parent)


def test_predictions_of_another_result_are_refused(root: Path) -> None:
    ours = write_result(root, DONE)
    other = dataclasses.replace(DONE, digest="fe", predictions=OTHER)
    theirs = write_result(root, other)

    shutil.copy(theirs / "predictions.csv", ours)

    with pytest.raises(
        BadResult, match=r"predictions.csv has changed since it was writ"
    ):
        read_result(ours)


def test_other_line_ends_are_no_damage(root: Path) -> None:
    folder = write_result(root, DONE)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))

    assert read_result(folder).digest == DONE.digest


@pytest.mark.parametrize("content", [None, "", "{"])
def test_a_result_that_cannot_be_read_is_replaced(
    root: Path, content: str | None
) -> None:
    file = write_result(root, DONE) / "result.json"
    file.unlink()
    if content is not None:
        file.write_text(content)

    folder = write_result(root, DONE)

    assert read_result(folder).digest == DONE.digest
    assert list(root.iterdir()) == [folder]


@pytest.mark.parametrize("written", [DONE, FAILED], ids=lambda one: one.status)
def test_reading_returns_what_was_written(root: Path, written: Result) -> None:
    read = read_result(write_result(root, written))

    for field in dataclasses.fields(Result):
        found, wanted = getattr(read, field.name), getattr(written, field.name)
        if isinstance(wanted, Predictions):
            assert found.utterances == wanted.utterances
            np.testing.assert_array_equal(found.probabilities, wanted.probabilities)
        elif isinstance(wanted, Mapping):
            assert found == dict(wanted)
        else:
            assert found == wanted


def test_a_failed_result_is_replaced_when_the_cell_is_done(root: Path) -> None:
    write_result(root, FAILED)

    folder = write_result(root, DONE)

    assert list(root.iterdir()) == [folder]
    assert ResultFile(folder).status == "done"


def test_a_done_result_is_not_replaced(root: Path) -> None:
    folder = write_result(root, DONE)
    before = (folder / "result.json").read_bytes()

    write_result(root, FAILED)

    assert list(root.iterdir()) == [folder]
    assert (folder / "result.json").read_bytes() == before


def test_writers_of_one_cell_do_not_disturb_each_other(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(write_result, [root] * 32, [DONE] * 32))

    assert list(root.iterdir()) == list(folders)
    assert ResultFile(folders.pop()).status == "done"


@pytest.mark.parametrize("step", ["_write_json", "_sync", "_publish"])
def test_after_an_error_of_the_disk_no_file_remains(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_result(root, DONE)

    assert list(root.iterdir()) == []


def test_an_unfinished_folder_is_not_read_as_a_result(root: Path) -> None:
    folder = write_result(root, DONE)
    folder.rename(folder.with_name(f".{folder.name}.12345678"))

    assert read_results(root) == []


def test_results_are_read_in_the_order_of_their_folder_names(root: Path) -> None:
    for seed in (2, 0, 1):
        write_result(root, dataclasses.replace(FAILED, seed=seed))
    (root / "leaderboard.md").touch()

    assert [result.seed for result in read_results(root)] == [0, 1, 2]


def test_a_number_that_json_cannot_hold_is_refused(root: Path) -> None:
    result = dataclasses.replace(DONE, costs={"seconds": float("nan")})

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_result(root, result)

    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"schema": 2', '"schema": 3', r"this nserbench reads 2\n  a newer"),
        ('"schema": 2', '"schema": 1', r"this nserbench reads 2\n  an older"),
        ('"schema": 2,', "", "the field 'schema' is missing"),
        ('"seed": 0', '"seed": "0"', "the field 'seed' is no int"),
        ('"seed": 0', '"seed": true', "the field 'seed' is no int"),
        ('"seed": 0', '"seed": 1e400', "is not JSON"),
        ('"seed": 0', f'"seed": {"9" * 5000}', "is not JSON"),
        ('"mel"', '"\\ud800"', "is not JSON"),
        ('"classes": [', '"classes": [1, ', "'classes' holds more than texts"),
        ('"rate": 0.25', '"rate": [0.25]', r"recognition.rate is '\[0.25\]'"),
        ('"rate": 0.25', '"rate": -0.25', "recognition.rate is '-0.25'"),
        ('"rate": 0.25', '"rate": null', "recognition.rate is 'None'"),
        ('"measure": "WER",', "", "recognition.measure is 'None'"),
        ('"measure": "WER"', '"measure": 1', "recognition.measure is '1'"),
        ('"seconds": 1.5', '"seconds": -1', "costs.seconds is '-1'"),
        ('"seconds": 1.5', '"seconds": "1.5"', "costs.seconds is '1.5'"),
        ('"seconds": 1.5', '"seconds": true', "costs.seconds is 'True'"),
        ('"upstream": "mel",', "", "the field 'upstream' is missing"),
        ('"classes": [', '"classes_": [', "the field 'classes' is missing"),
        ('"anger",', '"joy",', "the predictions have other classes than the result"),
        ('"status": "done"', '"status": "new"', "has the status 'new', not one of"),
        ('"status": "done"', '"status": "failed"', "the field 'reason' is no str"),
        ("{", "", "is not JSON"),
    ],
)
def test_the_error_of_a_damaged_result_gives_its_path(
    root: Path, old: str, new: str, problem: str
) -> None:
    file = write_result(root, DONE) / "result.json"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1))

    with pytest.raises(BadResult, match=f"^{re.escape(str(file))}.*{problem}"):
        read_result(file.parent)


def test_the_error_of_a_file_without_an_object_gives_its_path(root: Path) -> None:
    (root / "result.json").write_text("[]")

    with pytest.raises(BadResult, match=r"result\.json does not hold a result"):
        read_result(root)


def test_the_error_of_missing_predictions_gives_their_path(root: Path) -> None:
    folder = write_result(root, DONE)
    (folder / "predictions.csv").unlink()

    with pytest.raises(BadResult, match=r"predictions\.csv cannot be read"):
        read_results(root)


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": None},
        {"reason": "why"},
        {"status": "failed"},
        {"status": "not applicable", "predictions": None},
        {"classes": ("anger", "joy")},
    ],
)
def test_a_result_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"result|classes"):
        dataclasses.replace(DONE, **change)


@pytest.mark.parametrize(
    "upstream",
    ["../../etc", "a/b\\c:d*e?f|g", ".hidden", "憤怒", "x" * 500, "bert:text={a,b=c}"],
)
def test_a_folder_name_is_safe_and_ends_with_the_digest(upstream: str) -> None:
    cell = CellName(upstream, "fc", "emodb", "park@-5", "probe", 0)

    name = cell.folder("ab" * 32)

    assert re.fullmatch(r"[A-Za-z0-9+@=_][A-Za-z0-9.+@=_-]{11,149}", name)
    assert name.endswith("_ababababab")


@pytest.mark.parametrize("digest", ["/../../x", "../x", "", "ab/cd", "AB", "a\n"])
def test_a_digest_that_is_no_digest_never_becomes_a_path(
    root: Path, digest: str
) -> None:
    folder = write_result(root, DONE)
    content = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(content | {"digest": digest}))

    with pytest.raises(BadResult, match="is not hexadecimal"):
        read_result(folder)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[" * 100_000])
def test_a_file_that_is_not_json_is_refused(root: Path, text: str) -> None:
    folder = write_result(root, DONE)
    file = folder / "result.json"
    file.write_text(file.read_text().replace("1.5", text))

    with pytest.raises(BadResult, match="is not JSON"):
        read_result(folder)


def test_unfinished_results_are_deleted_when_they_are_a_day_old(root: Path) -> None:
    old, new, other = root / "old", root / "new", root / ".git"
    done = write_result(root, DONE)
    for folder in (old, new):
        folder.mkdir()
        folder.rename(unfinished := module._temporary(done))
        if folder is old:
            os.utime(unfinished, (0, 0))
    other.mkdir()
    os.utime(other, (0, 0))
    os.utime(done, (0, 0))

    module.sweep_results(root)

    assert {one.name for one in root.iterdir()} == {done.name, unfinished.name, ".git"}


def test_a_clock_that_is_days_ahead_deletes_no_result_that_is_being_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (unfinished := module._temporary(write_result(root, DONE))).mkdir()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86_400)

    module.sweep_results(root)

    assert unfinished.is_dir()
