import json
import re
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
        "to run it again (add --plugin and folders, which no result names):",
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


def test_bytes_and_times_have_their_units(nserbench: Command, folder: Path) -> None:
    told = nserbench(f"show {folder}").stdout

    units = r"\d+(\.\d)? (B|KB|MB|GB)"
    assert re.search(rf"^peak memory +{units} *$", told, re.MULTILINE)
    assert re.search(r"^training +\d+(\.\d)? s *$", told, re.MULTILINE)
    assert re.search(r"^duration +6\.1 s *$", told, re.MULTILINE)
    assert not re.search("bytes|seconds", told)


def test_the_names_of_a_cell_are_enough(
    nserbench: Command, finished: Path, folder: Path
) -> None:
    told = nserbench(
        f"show 'mel x mean x manifest:path=notes clean' {finished}/results"
    )

    assert told.stdout == nserbench(f"show {folder}").stdout


def test_the_command_to_run_a_cell_again_makes_the_same_cell(
    nserbench: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = next(finished.glob("results/mel_bigru_*hiss*"))
    command = nserbench(f"show {folder}").stdout.splitlines()[-1].strip()
    monkeypatch.chdir(finished)

    # The path of the manifest is not part of a result.
    line = command.removeprefix("nserbench ").replace("path=notes", "path=notes.csv")
    cells = nserbench(f"{line} --config lab.toml --dry-run").stdout

    assert command.startswith("nserbench run -u mel -d bigru -c manifest:path=notes")
    name = "mel x bigru x manifest:path=notes hiss@0 (probe+epochs=1, seed 0)"
    assert cells == f"{name}\n"


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
