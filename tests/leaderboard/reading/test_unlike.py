"""Results that share a name but not what it stands for are never in one table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labs import add, predictions
from older_results import as_older

from nserbench.benchmark.results.read_results import read_results
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.reading.latest import latest_results
from nserbench.leaderboard.reading.pairs import read_pairs
from nserbench.leaderboard.tables.summary import summary_table

NEWER = {"finished": "2026-11-23T10:00:00+00:00"}


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSERBENCH_STORE", str(tmp_path / "store"))


def shown(lab: Path) -> list[str]:
    """Return the finished results that a table and the page show."""
    cells, _ = read_cells([lab])
    table = [
        f"{row.upstream} {column.condition} {result.seed}"
        for (row, column), results in cells.items()
        for result in results
        if result.counts is not None
    ]
    page = [
        f"{row.upstream} {column.condition} {result.seed}"
        for (row, column), results in latest_results(read_results(lab)).items()
        for result in results
    ]
    assert sorted(table) == sorted(page)
    return sorted(table)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"provenance": {"weights": "f" * 32}}, "other weights"),
        ({"provenance": {"weights": {"a": "f" * 32}}}, "other weights"),
        ({"provenance": {"enhancer": "f" * 32}}, "other weights"),
        ({"provenance": {"corpus": "f" * 32}}, "other audio, utterances or labels"),
        ({"provenance": {"labels": "f" * 32}}, "other audio, utterances or labels"),
        ({"provenance": {"texts": "f" * 32}}, "other texts"),
        ({"provenance": {"code": {"upstream": "f"}}}, "other code"),
        ({"provenance": {"code": {"head": "f"}}}, "other code"),
        ({"provenance": {"code": {"tuning": "f"}}}, "other fine-tuning"),
        (
            {"provenance": {"training_noise": {"hiss": "f"}}},
            "other noise in the training set",
        ),
    ],
)
def test_the_newest_meaning_of_a_name_stays_and_the_others_are_left_out(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    known = {
        "labels": "a" * 32,
        "enhancer": "b" * 32,
        "texts": "c" * 32,
        "code": {"upstream": "u", "head": "h", "tuning": "t"},
        "training_noise": {"hiss": "h"},
    }
    add(tmp_path, condition="clean", provenance=known)
    provenance = {**known, **changes.pop("provenance", {}), **NEWER}
    add(tmp_path, condition="park@0", provenance=provenance, **changes)

    _, notes = read_cells([tmp_path])

    assert shown(tmp_path) == ["mel park@0 0"]
    (note,) = notes
    assert f"1 result with {what}" in note
    assert "than the newest is left out (mel x mean, emodb clean)" in note


def test_two_noises_of_one_name_are_not_in_one_column(tmp_path: Path) -> None:
    add(tmp_path, condition="park@0")
    add(tmp_path, condition="clean")
    newer = {**NEWER, "noise": "f" * 32}
    add(tmp_path, "whisper", condition="park@0", provenance=newer)

    assert shown(tmp_path) == ["mel clean 0", "whisper park@0 0"]


def test_a_set_of_noises_whose_files_have_changed_is_another_noise(
    tmp_path: Path,
) -> None:
    add(tmp_path, condition="park@0", provenance={"noise_segments": "a"})
    newer = {**NEWER, "noise_segments": "b"}
    add(tmp_path, "whisper", condition="park@0", provenance=newer)

    assert shown(tmp_path) == ["whisper park@0 0"]


def test_a_result_that_says_less_stays_beside_those_that_say_more(
    tmp_path: Path,
) -> None:
    code = {"code": {"upstream": "u", "head": "h"}, "texts": "t"}
    add(tmp_path)
    add(tmp_path, condition="park@0", provenance=code)
    add(tmp_path, condition="park@5", provenance=NEWER)

    assert len(shown(tmp_path)) == 3


def test_of_two_that_differ_the_older_is_left_out_though_a_newer_says_less(
    tmp_path: Path,
) -> None:
    add(tmp_path, provenance={"texts": "a", "finished": "2026-11-20T10:00:00+00:00"})
    add(tmp_path, condition="park@0", provenance={"texts": "b"})
    add(tmp_path, condition="park@5", provenance=NEWER)

    assert shown(tmp_path) == ["mel park@0 0", "mel park@5 0"]


def test_heads_and_upstreams_of_other_names_may_have_other_code(
    tmp_path: Path,
) -> None:
    add(tmp_path, provenance={"code": {"upstream": "u", "head": "h", "tuning": "t"}})
    other = {"code": {"upstream": "v", "head": "h"}}
    add(tmp_path, "whisper", provenance=other)
    head = {"code": {"upstream": "u", "head": "i", "tuning": "s"}}
    add(tmp_path, downstream="fc", provenance=head)

    assert len(shown(tmp_path)) == 3


def test_a_cell_whose_results_are_left_out_is_not_called_impossible(
    tmp_path: Path,
) -> None:
    add(tmp_path, condition="park@0")
    newer = {**NEWER, "noise": "f" * 32}
    add(tmp_path, "whisper", condition="park@0", provenance=newer)

    table = summary_table(tmp_path, ["uar"])

    statuses = {row.upstream: one.status for (row, _), one in table.entries.items()}
    assert statuses == {"mel": "left out", "whisper": "done"}
    (line,) = table.left_out
    assert "1 result with other noise or mixing than the newest is left out" in line


def test_cells_that_were_trained_in_other_noise_of_one_name_are_not_compared(
    tmp_path: Path,
) -> None:
    first = add(tmp_path, provenance={"training_noise": {"hiss": "a"}})
    second = add(tmp_path, "whisper", provenance={"training_noise": {"hiss": "b"}})
    third = add(tmp_path, "hubert", provenance={"training_noise": {"hum": "b"}})

    assert len(read_pairs(first, third)) == 1
    with pytest.raises(BadResult, match="other audio of the noise in the training set"):
        read_pairs(first, second)


def test_seeds_of_other_weights_are_not_averaged(tmp_path: Path) -> None:
    first = add(tmp_path, seed=0)
    second = add(tmp_path, seed=1, provenance={**NEWER, "weights": "f" * 32})
    third = add(tmp_path, "whisper", seed=1)
    add(tmp_path, "whisper", seed=0)

    assert shown(tmp_path) == ["mel clean 1", "whisper clean 0", "whisper clean 1"]
    with pytest.raises(BadResult, match=r"seed 1, has other weights than\s+seed 0"):
        read_pairs(first, third, all_seeds=True)
    assert len(read_pairs(second, third)) == 1


def test_cells_on_other_audio_of_one_name_are_not_compared(tmp_path: Path) -> None:
    first = add(tmp_path)
    second = add(tmp_path, "whisper", provenance={"corpus": "f" * 32})

    with pytest.raises(BadResult, match="they have other audio of the corpus"):
        read_pairs(first, second)


@pytest.mark.parametrize("setting", [{"noise": "disjoint"}, {"mix_seed": 1}])
def test_protocols_that_mix_noise_in_another_way_can_be_compared(
    tmp_path: Path, setting: dict[str, object]
) -> None:
    first = add(tmp_path, condition="park@0")
    noise = {"noise": "f" * 32}
    second = add(tmp_path, condition="park@0", provenance=noise, protocol=setting)
    third = add(tmp_path, "whisper", "park@0", provenance=noise)

    assert len(read_pairs(first, second)) == 1
    with pytest.raises(BadResult, match="they have other audio of the noise"):
        read_pairs(first, third)


def test_upstreams_of_other_names_may_have_other_weights(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path, "whisper", provenance={"weights": "f" * 32})
    add(tmp_path, "hubert", provenance={"weights": None})

    assert len(shown(tmp_path)) == 3


@pytest.mark.parametrize(
    "protocol", [{"recipe": {"epochs": 9}}, {"mix_seed": 1}, {"folds": None}]
)
def test_seeds_of_other_settings_are_not_averaged(
    tmp_path: Path, protocol: dict[str, Any]
) -> None:
    add(tmp_path, seed=0)
    add(tmp_path, seed=1, protocol=protocol, provenance=NEWER)

    assert shown(tmp_path) == ["mel clean 1"]


def test_rows_may_have_recipes_of_their_own(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path, "mel:finetune=joint", protocol={"recipe": {"epochs": 9}})

    assert len(shown(tmp_path)) == 2


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"probabilities": np.full((8, 2), [0.25, 0.75])}, "not the most probable"),
        ({"folds": tuple("11113333")}, "the folds hold"),
    ],
)
def test_predictions_that_contradict_themselves_are_refused_everywhere(
    tmp_path: Path, found: dict[str, Any], why: str
) -> None:
    folder = add(tmp_path, found=predictions(**found))
    other = add(tmp_path, "whisper")

    for read in (
        lambda: read_cells([tmp_path]),
        lambda: latest_results(read_results(tmp_path)),
        lambda: read_pairs(folder, other),
    ):
        with pytest.raises(BadResult, match=why):
            read()


def test_rows_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    folder = as_older(add(tmp_path))
    file = folder / "predictions.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))

    with pytest.raises(BadResult, match="the folds hold"):
        read_cells([tmp_path])
