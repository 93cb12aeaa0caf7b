import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]


@pytest.fixture
def folder(finished: Path) -> Path:
    """Return the result folder of mel with mean on clean speech."""
    return next(finished.glob("results/mel_mean_*clean*"))


def test_all_details_of_a_cell_are_printed(nserbench: Command, folder: Path) -> None:
    stored = json.loads((folder / "result.json").read_text())

    told = nserbench(f"show {folder}").stdout

    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[:4] == [
        "mel x mean x manifest:path=notes clean",
        "protocol probe+epochs=1, seed 0",
        f"digest {stored['digest']}",
        "done",
    ]
    titles = [lines[place + 1] for place, line in enumerate(lines) if not line]
    assert titles == [
        "scores in percent",
        "confusion matrix",
        "protocol details",
        "costs",
        "provenance",
        "notes",
    ]
    uar = stored["metrics"]["uar"]
    (row,) = [line.split() for line in lines if line.startswith("uar ")]
    assert row[1] == f"{100 * uar['mean']:.1f}"
    assert row[2:5] == [f"{100 * uar['low']:.1f}", "to", f"{100 * uar['high']:.1f}"]
    matrix = lines[lines.index("confusion matrix") + 3 :][:2]
    counts = [[int(cell) for cell in line.split()[1:]] for line in matrix]
    assert counts == stored["confusion"]


def test_the_beginning_of_its_digest_is_enough(
    nserbench: Command, finished: Path, folder: Path
) -> None:
    digest = json.loads((folder / "result.json").read_text())["digest"]

    by_digest = nserbench(f"show {digest[:8]} {finished}/results")

    assert by_digest.stdout == nserbench(f"show {folder}").stdout


def test_json_is_the_file_of_the_cell(nserbench: Command, folder: Path) -> None:
    told = nserbench(f"show --json {folder}").stdout

    assert told == (folder / "result.json").read_text()


def test_a_cell_that_is_not_applicable_is_printed_with_the_reason(
    nserbench: Command, finished: Path
) -> None:
    folder = next(finished.glob("results/mel_weighted-sum_*clean*"))

    told = nserbench(f"show {folder}").stdout

    assert told.splitlines()[3] == "not applicable: mel has one layer: nothing to fuse"
    assert "scores" not in told


def test_an_unknown_cell_gets_one_message(nserbench: Command, finished: Path) -> None:
    result = nserbench(f"show mel_mean {finished}/results")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: unknown cell 'mel_mean'\n")
    assert f"looked in {finished}/results" in result.stderr


def test_long_lists_are_shortened_and_counted(
    nserbench: Command, finished: Path, tmp_path: Path
) -> None:
    nserbench(
        f"run -u mel -d mean -c manifest:{finished}/notes.csv --epochs 9 "
        f"--store {finished}/store"
    )
    folder = next((tmp_path / "results").iterdir())

    told = nserbench(f"show {folder}").stdout

    # losses, accuracies and gradients of two folds
    assert told.count(" ... (9 in all)") == 6
