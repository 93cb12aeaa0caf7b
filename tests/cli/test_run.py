import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from broken_plugin import BROKEN
from click.testing import Result

Command = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_a_dry_run_prints_every_cell_of_the_product(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"run --dry-run -u mel -d mean,weighted-sum -d last -c {notes} "
        "-c manifest-hiss:notes.csv --snr 0,-5"
    )

    one = "manifest:path=notes"
    no = "not applicable, mel has one layer: nothing to fuse"
    assert lines(result) == [
        f"mel x mean x {one} clean (probe, seed 0)",
        f"mel x weighted-sum x {one} clean (probe, seed 0): {no}",
        f"mel x last x {one} clean (probe, seed 0)",
        f"mel x mean x {one} hiss@0 (probe, seed 0)",
        f"mel x weighted-sum x {one} hiss@0 (probe, seed 0): {no}",
        f"mel x last x {one} hiss@0 (probe, seed 0)",
        f"mel x mean x {one} hiss@-5 (probe, seed 0)",
        f"mel x weighted-sum x {one} hiss@-5 (probe, seed 0): {no}",
        f"mel x last x {one} hiss@-5 (probe, seed 0)",
    ]


def test_changes_of_the_command_line_are_in_the_protocol_name(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"run --dry-run -u mel -d mean -c {notes} --noise clean --noise hiss "
        "--snr -5 --snr -0 --seeds 2 --epochs 3 --limit 12 --protocol paper"
    )

    how = "(paper+epochs=3+limit=12, seed"
    assert lines(result) == [
        f"mel x mean x manifest:path=notes {condition} {how} {seed})"
        for condition in ("clean", "hiss@-5", "hiss@0")
        for seed in (0, 1)
    ]


def test_a_dry_run_as_json_says_why_a_cell_is_not_applicable(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(f"run --dry-run --json -u mel -d mean,ladapter -c {notes}")

    assert json.loads(result.stdout) == [
        {
            "cell": "mel x mean x manifest:path=notes clean (probe, seed 0)",
            "not applicable": None,
        },
        {
            "cell": "mel x ladapter x manifest:path=notes clean (probe, seed 0)",
            "not applicable": "mel has one layer: nothing to fuse",
        },
    ]


def test_a_dry_run_writes_no_file(
    nserbench: Command, notes: str, tmp_path: Path
) -> None:
    nserbench(f"run --dry-run -u mel -d mean -c {notes}")

    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "results").exists()


def test_standard_output_is_json_alone_and_progress_goes_to_standard_error(
    process: Process, notes: str, tmp_path: Path
) -> None:
    answer = process(f"run --json -u mel -d mean,weighted-sum -c {notes} --epochs 1")

    told = json.loads(answer.stdout)
    assert told["outcomes"] == {"done": 1, "not applicable": 1}
    assert [Path(one).parent for one in told["results"]] == [tmp_path / "results"]
    first, *rest = answer.stderr.splitlines()
    assert first == (
        "not applicable: mel x weighted-sum, 1 cell: mel has one layer: nothing to fuse"
    )
    assert rest[0] == "reading audio: 24 clips"
    assert rest[-1] == (
        "[1/1] mel x mean x manifest:path=notes clean (probe+epochs=1, seed 0): done"
    )


def test_the_second_run_says_that_there_is_nothing_to_run(
    nserbench: Command, notes: str, tmp_path: Path
) -> None:
    line = f"run -u mel -d mean -c {notes} --epochs 1"

    first, second = nserbench(line), nserbench(line)

    last = f"to see the results: `nserbench leaderboard {tmp_path}/results`"
    assert lines(first) == ["cells: 1 done", last]
    assert lines(second) == ["nothing to run: 1 already there", last]
    assert second.stderr == "1 cell, 1 already there\n"


def test_cells_of_worker_processes_are_reported_and_stored(
    process: Process, notes: str
) -> None:
    line = f"run -u mel -d mean -c {notes} --epochs 1"

    shared, alone = process(f"{line} --on processes:1"), process(line)

    assert shared.stderr.splitlines()[-1] == (
        "[1/1] mel x mean x manifest:path=notes clean (probe+epochs=1, seed 0): done"
    )
    assert shared.stdout.startswith("cells: 1 done\n")
    assert alone.stdout.startswith("nothing to run: 1 already there\n")


def test_the_error_for_unknown_workers_lists_the_valid_ones(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(f"run -u mel -d mean -c {notes} --on mars")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: --on mars: use processes:N, dask://HOST:PORT or slurm\n"
    )


def test_a_failed_cell_is_reported_and_tried_again_and_others_are_run(
    nserbench: Command, notes: str
) -> None:
    Path("broken.py").write_text(BROKEN)
    line = f"run --plugin broken.py -u broken,mel -d mean -c {notes} --epochs 1"

    first, second = nserbench(line), nserbench(line)

    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "out of order" in first.stderr
    told = first.stdout.splitlines()
    assert told[:2] == ["cells: 1 done, 1 failed", "to try the failed cells again:"]
    assert told[2].endswith(f" nserbench {line}")
    assert second.stdout.startswith("cells: 1 already there, 1 failed\n")


def test_a_plugin_whose_model_cannot_be_imported_is_a_failed_cell(
    nserbench: Command, notes: str
) -> None:
    Path("absent.py").write_text(BROKEN.replace("broken:load", "no_such:load"))

    result = nserbench(f"run --plugin absent.py -u broken -d mean -c {notes}")

    assert result.exit_code == 1
    assert (
        "upstream 'broken' cannot be loaded: No module named 'no_such'\n"
        "  its plugin declares load='no_such:load'" in result.stderr
    )


@pytest.mark.parametrize("name", ["results", "store"])
def test_the_command_line_overrides_the_environment_and_that_the_file(
    nserbench: Command,
    notes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    with Path("nserbench.toml").open("a") as stream:
        stream.write(f'[paths]\n{name} = "of-the-file"\n')
    line = f"run -u mel -d mean -c {notes} --epochs 1"
    option = {"results": "--out", "store": "--store"}[name]

    monkeypatch.delenv(f"NSERBENCH_{name.upper()}")
    nserbench(line)
    by_file = Path("of-the-file").exists(), (tmp_path / "typed").exists()
    monkeypatch.setenv(f"NSERBENCH_{name.upper()}", str(tmp_path / "of-environment"))
    nserbench(line)
    nserbench(f"{line} {option} {tmp_path}/typed")

    assert by_file == (True, False)
    folders = [Path("of-the-file"), tmp_path / "of-environment", tmp_path / "typed"]
    assert all(any(folder.iterdir()) for folder in folders)


def test_an_interruption_says_how_to_continue(
    nserbench: Command, notes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSERBENCH_TEST_DATA", raising=False)
    interrupted = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr("nserbench.benchmark.study.grid_file.make_study", interrupted)

    Path("my emodb").mkdir()
    monkeypatch.setenv("NSERBENCH_EMODB", "my emodb")
    monkeypatch.setenv("NSERBENCH_LAB_LOGIN", "me:pass")

    result = nserbench(f"run -u mel -d mean -c {notes} --noise 'a b'")

    assert result.exit_code == 130
    assert result.stderr == (
        "\nstopped; finished results are kept. To continue:\n"
        "  NSERBENCH_EMODB='my emodb' NSERBENCH_LAB_LOGIN=\"$NSERBENCH_LAB_LOGIN\" "
        "NSERBENCH_MATMUL=onednn "
        f"NSERBENCH_RESULTS={tmp_path}/results NSERBENCH_STORE={tmp_path}/store "
        f"nserbench run -u mel -d mean -c {notes} --noise 'a b'\n"
    )


GRID = """
title = "two parts"
[[block]]
upstreams = ["mel"]
downstreams = ["mean"]
corpora = ["demo"]
noises = ["clean", "park"]
[[block]]
upstreams = ["mel"]
downstreams = ["last"]
corpora = ["demo"]
epochs = 3
"""


def test_a_grid_file_runs_block_by_block_and_only_what_is_missing(
    nserbench: Command, tmp_path: Path
) -> None:
    Path("study.toml").write_text(GRID)
    words = "run --grid study.toml --epochs 1 --limit 16 --store there --json"

    first = json.loads(nserbench(words).stdout)
    again = json.loads(nserbench(words).stdout)

    assert first["outcomes"] == {"done": 3}
    assert again["outcomes"] == {"already there": 3}
    names = sorted(Path(folder).name for folder in first["results"])
    assert [name.partition("_demo_")[0] for name in names] == [
        "mel_last",
        "mel_mean",
        "mel_mean",
    ]
    assert all("epochs=1" in name for name in names)


def test_a_plan_of_a_grid_file_counts_a_shared_pass_once(nserbench: Command) -> None:
    Path("study.toml").write_text(GRID)

    told = json.loads(nserbench("plan --grid study.toml --store there --json").stdout)

    assert told["missing"] == 3
    assert [one["condition"] for one in told["passes"]] == ["clean", "park@0"]


def test_a_precision_is_taken_for_a_grid_file_that_sets_none(
    nserbench: Command,
) -> None:
    Path("study.toml").write_text(GRID)

    answer = nserbench("run --grid study.toml --precision bf16 --dry-run")

    assert answer.exit_code == 0, answer.output
    assert "+precision=bf16" in answer.output


def test_an_option_that_the_grid_file_sets_is_refused(
    nserbench: Command,
) -> None:
    Path("study.toml").write_text(GRID)

    answer = nserbench("run --grid study.toml -u mel")

    assert answer.exit_code == 2
    assert (
        "--upstream cannot be combined with --grid: set it in study.toml"
        in answer.output
    )


def test_a_limit_of_the_store_and_workers_are_not_combined(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"run -u mel -d mean -c {notes} --on processes:2"

    typed = nserbench(f"{line} --store-limit 1GB")
    monkeypatch.setenv("NSERBENCH_STORE_LIMIT", "1GB")
    given = nserbench(line)

    assert typed.exit_code == given.exit_code == 1
    assert typed.stderr == given.stderr
    assert "--on processes:2 and a limit of the store cannot be combined" in (
        typed.stderr
    )


def test_a_limit_that_is_no_size_is_refused(nserbench: Command, notes: str) -> None:
    result = nserbench(f"run -u mel -d mean -c {notes} --store-limit 100")

    assert result.exit_code == 2
    assert "'100' is not a size: write a number and a unit" in result.stderr


def test_a_limit_that_is_too_small_ends_the_command_with_one_sentence(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(f"run -u mel -d bigru -c {notes} --store-limit 1MB")

    assert result.exit_code == 1
    assert "Error: the store needs at least" in result.stderr
    assert "but its limit is 1.0 MB\n" in result.stderr
    assert not list(Path("results").glob("*"))
