import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from nserbench.benchmark.running.cheaper import Suggestion
from nserbench.benchmark.running.stopwatch import Stopwatch

Command = Callable[..., Result]

GRID = "-u mel -d mean,bigru,weighted-sum --noise clean --noise hiss --epochs 2"


def test_it_prints_cells_features_size_and_time(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nserbench.benchmark.running.stopwatch.BUDGET", 600.0)
    cheaper = [Suggestion("mel", "bigru", "mean", 1.0)]
    monkeypatch.setattr(
        "nserbench.benchmark.running.cost.suggestions", lambda *_: cheaper
    )

    result = nserbench(f"plan {GRID} -c {notes}")

    assert result.exit_code == 0, result.output
    told = re.sub(r"\d+(\.\d)? (s|min|h)\b", "TIME", result.stdout)
    told = re.sub(r"\d+\.\d KB", "SIZE", told)
    words = [" ".join(line.split()) for line in told.splitlines()]
    assert words[3].strip("─") == ""
    words = [line for line in words if not line.startswith("this machine is busy")]
    refused = "mel x weighted-sum, 2 cells: mel has one layer: nothing to fuse"
    assert words[:3] + words[4:] == [
        f"not applicable: {refused}",
        "features to extract",
        "upstream corpus condition clips features search size time",
        "mel manifest:path=notes clean 24 pooled + frames no SIZE TIME",
        "mel manifest:path=notes hiss@0 24 pooled + frames no SIZE TIME",
        "",
        "cells: 4 to run, 0 already there, 2 not applicable",
        "feature extraction: SIZE, TIME",
        "training of heads: 8.3 MB, TIME",
        "total: about TIME",
        "cheaper: mel x mean in place of bigru: all takes about TIME",
    ]


def test_json_has_the_passes_and_a_reason_for_every_cell_not_applicable(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nserbench.benchmark.running.stopwatch.BUDGET", 600.0)

    told = json.loads(nserbench(f"plan --json {GRID} -c {notes}").stdout)

    assert (told["missing"], told["there"], len(told["refused"])) == (4, 0, 2)
    assert told["training"] > 0
    assert (told["load"] >= 1, told["rough"]) == (True, [])
    assert [one["condition"] for one in told["passes"]] == ["clean", "hiss@0"]
    frames = 23  # windows of 25 ms every 10 ms in 0.25 s
    assert told["passes"][0]["size"] == 24 * 80 * (4 + 2 * frames)


def test_nothing_is_extracted_or_trained(
    nserbench: Command, notes: str, tmp_path: Path
) -> None:
    nserbench(f"plan {GRID} -c {notes}")

    assert [one.name for one in (tmp_path / "store").iterdir()] == ["ledger.sqlite"]
    assert not (tmp_path / "results").exists()


def test_cells_with_a_result_cost_nothing(
    nserbench: Command, finished: Path, notes: str
) -> None:
    result = nserbench(
        f"plan -u mel -d mean,bigru -c manifest:{finished}/notes.csv --epochs 1 "
        f"--store {finished}/store --out {finished}/results"
    )

    assert result.stdout == (
        "cells: 0 to run, 2 already there, 0 not applicable\n"
        "feature extraction: 0 B, 0 s\n"
        "training of heads: 0 B, 0 s\n"
        "total: about 0 s\n"
    )


def test_features_that_do_not_fit_on_the_disk_are_warned_of(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    short = nserbench(f"plan {GRID} -c {notes}")
    told = json.loads(nserbench(f"plan --json {GRID} -c {notes}").stdout)

    needed = "features and weights need 8.5 MB\n  free disk"
    assert f"has 1.0 KB free, and {needed}" in short.stderr
    assert (short.exit_code, told["free"]) == (0, 1000)


def test_a_busy_machine_and_small_samples_are_told(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nserbench.benchmark.running.stopwatch.BUDGET", 0.0)
    monkeypatch.setattr(Stopwatch, "load", property(lambda watch: 2.04))

    told = nserbench(f"plan {GRID} -c {notes}").stdout

    total, busy, rough = told.splitlines()[-3:]
    assert total.startswith("total: about ")
    assert busy.startswith("this machine is busy now: ")
    assert "2.0 times as long" in busy
    assert "at this load all takes about " in busy
    assert rough.startswith("rough, ")
    assert rough.endswith(": mel, mel x bigru, mel x mean")


def test_workers_are_counted_on(nserbench: Command, notes: str) -> None:
    told = nserbench(f"plan {GRID} -c {notes} --on processes:1").stdout

    assert re.search(
        r"^with --on processes:1, 1 worker at once: about [\d.]+ (s|min|h)$",
        told,
        re.MULTILINE,
    )


def test_workers_of_an_unknown_kind_are_refused(nserbench: Command, notes: str) -> None:
    result = nserbench(f"plan {GRID} -c {notes} --on threads:2")

    assert result.exit_code == 1
    assert "--on threads:2: use processes:N, dask://HOST:PORT or slurm" in result.stderr
