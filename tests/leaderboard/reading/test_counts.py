import json
from collections.abc import Callable
from pathlib import Path

import pytest
from older_results import as_older

from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.reading.latest import newest

Add = Callable[..., Path]


def test_an_empty_folder_is_an_error_that_says_what_to_run(root: Path) -> None:
    root.mkdir()

    with pytest.raises(BadResult) as caught:
        read_counted_results(root)

    assert str(caught.value) == (
        f"{root} holds no results\n"
        "  name another folder, or make results, for example with\n"
        "    nserbench run --upstream mel --downstream mean --corpus demo "
        f"--out {root}"
    )


def test_a_folder_of_folders_of_results_names_them(root: Path, add: Add) -> None:
    add()
    (root.parent / "notes").mkdir()

    with pytest.raises(BadResult) as caught:
        read_counted_results(root.parent)

    assert str(caught.value) == (
        f"{root.parent} holds no results\n  name a folder in it: {root}"
    )


def test_a_missing_folder_is_an_error(root: Path) -> None:
    with pytest.raises(BadResult, match="results is not a folder"):
        read_counted_results(root)


@pytest.mark.parametrize("condition", ["park", "park@loud", "park@", ""])
def test_a_condition_that_cannot_be_sorted_is_named(
    root: Path, add: Add, condition: str
) -> None:
    folder = add(condition=condition)

    with pytest.raises(BadResult, match="is neither clean nor NOISE@SNR") as caught:
        read_counted_results(root)

    assert str(folder) in str(caught.value)


def test_a_result_without_its_time_is_named(root: Path, add: Add) -> None:
    folder = add(provenance={"finished": "yesterday"})

    with pytest.raises(BadResult, match="'yesterday', not an ISO 8601 time") as caught:
        read_counted_results(root)

    assert str(folder) in str(caught.value)


def test_of_two_results_with_one_name_the_newest_is_kept(root: Path, add: Add) -> None:
    weights = {"model.safetensors": "aa"}
    add(provenance={"finished": "2026-01-02T00:00:00+00:00", "weights": weights})
    add(
        right="11111110",
        # Later by the clock, though not by its letters.
        provenance={"finished": "2026-01-01T23:00:00-05:00", "weights": None},
    )
    add("whisper")

    kept, lines = newest(read_counted_results(root))

    assert [(one.row.upstream, one.finished.hour) for one in kept] == [
        ("mel", 23),
        ("whisper", 10),
    ]
    assert lines == [
        (
            "mel x mean, emodb clean, seed 0: the newest of 2 results is shown; "
            "they differ in weights.model.safetensors, weights"
        )
    ]


def test_an_old_failure_is_not_mentioned_after_a_finished_result(
    root: Path, add: Add
) -> None:
    add(right=None, status="failed", reason="out of memory")
    add()

    kept, lines = newest(read_counted_results(root))

    assert [one.status for one in kept] == ["done"]
    assert lines == []


def test_a_failure_after_a_finished_result_is_shown(root: Path, add: Add) -> None:
    add()
    add(right=None, status="failed", reason="out of memory")

    kept, lines = newest(read_counted_results(root))

    assert [one.reason for one in kept] == ["out of memory"]
    assert len(lines) == 1


def test_metrics_in_the_file_are_not_read(root: Path, add: Add) -> None:
    file = as_older(add()) / "result.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    before = read_counted_results(root)[0].counts
    content["metrics"] = {"uar": {"mean": 0.1}}
    del content["confusion"]
    file.write_text(json.dumps(content), encoding="utf-8")

    after = read_counted_results(root)[0].counts

    assert before is not None
    assert after is not None
    assert before.answers.tolist() == after.answers.tolist()


def test_the_same_utterances_in_another_order_are_the_same_test(
    root: Path, add: Add
) -> None:
    folder = as_older(add())
    add("whisper", speakers=("ann",) * 8)
    head, *rows = (folder / "predictions.csv").read_text("utf-8").splitlines()
    before = {one.row.upstream: one.counts for one in read_counted_results(root)}
    (folder / "predictions.csv").write_text("\n".join([head, *rows[::-1]]), "utf-8")

    after = {one.row.upstream: one.counts for one in read_counted_results(root)}

    assert before["mel"]
    assert after["mel"]
    assert after["whisper"]
    assert after["mel"].tested == before["mel"].tested
    assert after["mel"].tested != after["whisper"].tested
