import json
import shutil
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Command = Callable[..., Result]


def test_it_prints_which_cells_are_done_missing_and_not_applicable(
    nserbench: Command, finished: Path, tmp_path: Path
) -> None:
    results = shutil.copytree(finished / "results", tmp_path / "copy")
    shutil.rmtree(next(results.glob("mel_bigru_*hiss@0*")))

    result = nserbench(f"status {results}")

    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "manifest:path=notes (probe+epochs=1)",
        "upstream   downstream     clean            hiss@0",
        "─────────────────────────────────────────────────────────",
        "mel        bigru          done             missing",
        "mel        mean           done             done",
        "mel        weighted-sum   not applicable   not applicable",
    ]


def test_each_protocol_has_its_own_table(
    nserbench: Command, finished: Path, tmp_path: Path
) -> None:
    results = shutil.copytree(finished / "results", tmp_path / "copy")
    nserbench(
        f"run -u mel -d last -c manifest:{finished}/notes.csv --epochs 2 --seeds 2 "
        f"--store {finished}/store --out {results}"
    )

    told = nserbench(f"status {results}").stdout

    assert [line.rstrip() for line in told.partition("\n\n")[2].splitlines()] == [
        "manifest:path=notes (probe+epochs=2)",
        "upstream   downstream   clean",
        "────────────────────────────────",
        "mel        last         done x 2",
    ]


def test_json_has_a_row_for_every_result(nserbench: Command, finished: Path) -> None:
    rows = json.loads(nserbench(f"status --json {finished}/results").stdout)

    assert [(row["downstream"], row["condition"], row["status"]) for row in rows] == [
        ("bigru", "clean", "done"),
        ("bigru", "hiss@0", "done"),
        ("mean", "clean", "done"),
        ("mean", "hiss@0", "done"),
        ("weighted-sum", "clean", "not applicable"),
        ("weighted-sum", "hiss@0", "not applicable"),
    ]
    assert len({row["digest"] for row in rows}) == 6


def test_without_results_it_says_how_to_create_some(nserbench: Command) -> None:
    assert nserbench("status none").stdout == (
        "no results in none: create some with `nserbench run`\n"
    )
    assert nserbench("status none --json").stdout == "[]\n"
