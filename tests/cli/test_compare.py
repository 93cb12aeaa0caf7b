import csv
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from older_results import as_older

from nserbench.cli.common.click_groups import Commands
from nserbench.cli.compare import compare

Compare = Callable[[str], Result]


@pytest.fixture
def call() -> Compare:
    """Return a function that runs the command with its arguments."""
    group = Commands(commands=[compare])

    def run(line: str) -> Result:
        return CliRunner().invoke(group, ["compare", *shlex.split(line)])

    return run


@pytest.fixture
def clean(finished: Path) -> Path:
    return next(finished.glob("results/mel_mean_*clean*"))


@pytest.fixture
def noisy(finished: Path) -> Path:
    return next(finished.glob("results/mel_mean_*hiss*"))


def digest_of(folder: Path) -> str:
    content: dict[str, str] = json.loads((folder / "result.json").read_text())
    return content["digest"]


def uar_of(folder: Path) -> float:
    content = json.loads((folder / "result.json").read_text())
    return float(content["metrics"]["uar"]["mean"])


def test_two_cells_are_compared(call: Compare, clean: Path, noisy: Path) -> None:
    told = call(f"{clean} {noisy}").stdout

    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[0] == (
        "first   mel x mean on manifest:path=notes clean, protocol probe+epochs=1, "
        f"digest {digest_of(clean)[:10]}"
    )
    assert lines[1].startswith("second  mel x mean on manifest:path=notes hiss@0, ")
    (scores,) = [line.split() for line in lines if line.startswith("uar ")]
    values = uar_of(clean), uar_of(noisy)
    assert scores[1:3] == [f"{100 * value:.1f}" for value in values]
    assert scores[3] == f"{100 * (values[1] - values[0]):+.1f}"
    titles = ["scores in percent", "correct answers", "recall in percent"]
    assert [line for line in lines if line in titles] == titles
    assert "assumes independent utterances" in told
    assert "fewer than 10 speakers or other units are rough" in told


def test_cells_are_named_by_the_beginnings_of_their_digests(
    call: Compare, finished: Path, clean: Path, noisy: Path
) -> None:
    names = f"{digest_of(clean)[:8]} {digest_of(noisy)[:8]}"

    by_digest = call(f"{names} {finished}/results")

    assert by_digest.stdout == call(f"{clean} {noisy}").stdout


def test_json_has_the_same_numbers(call: Compare, clean: Path, noisy: Path) -> None:
    found = json.loads(call(f"{clean} {noisy} --json").stdout)

    assert found["unit"] == "fraction of 1"
    assert found["first"]["digests"] == {"0": digest_of(clean)}
    assert found["second"]["condition"] == "hiss@0"
    assert found["scores"]["uar"]["first"] == pytest.approx(uar_of(clean))
    (agreement,) = found["agreements"]
    counts = [agreement[key] for key in ("both", "first", "second", "neither")]
    assert sum(counts) == found["utterances"]
    assert len(found["flips"]) == agreement["first"] + agreement["second"]
    assert sum(part["utterances"] for part in found["speakers"]) == sum(counts)


def test_flips_are_written_with_both_predictions_and_all_probabilities(
    call: Compare, finished: Path, clean: Path, tmp_path: Path
) -> None:
    other = next(finished.glob("results/mel_bigru_*clean*"))
    file = tmp_path / "flips.csv"

    result = call(f"{clean} {other} --flips {file}")

    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    assert f"written: {file} ({len(rows)} utterances)" in result.stdout
    counts = re.search(r"^0 +\d+ +(\d+) +(\d+)", result.stdout, re.MULTILINE)
    assert counts
    assert len(rows) == sum(map(int, counts.groups()))
    for row in rows:
        assert (row["label"] == row["first"]) != (row["label"] == row["second"])
        for side in ("first", "second"):
            probabilities = {
                key.removeprefix(f"{side}_p_"): float(value)
                for key, value in row.items()
                if key.startswith(f"{side}_p_")
            }
            assert sum(probabilities.values()) == pytest.approx(1)
            assert max(probabilities, key=probabilities.__getitem__) == row[side]


def test_a_file_of_flips_that_cannot_be_written_is_reported(
    call: Compare, clean: Path, noisy: Path, tmp_path: Path
) -> None:
    result = call(f"{clean} {noisy} --flips {tmp_path}/missing/flips.csv")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}/missing/flips.csv: No such")


def test_a_cell_without_predictions_is_refused(
    call: Compare, finished: Path, clean: Path
) -> None:
    other = next(finished.glob("results/mel_weighted-sum_*clean*"))

    result = call(f"{clean} {other}")

    assert result.exit_code == 1
    assert "is not applicable: mel has one layer" in result.stderr


def test_brackets_in_names_are_printed_as_they_are(
    call: Compare, clean: Path, noisy: Path, tmp_path: Path
) -> None:
    folders = []
    for name, folder in (("one", clean), ("other", noisy)):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        answers = (copy / "predictions.csv").read_text()
        (copy / "predictions.csv").write_text(answers.replace(",s0,", ",[red]s0,"))
        folders.append(str(as_older(copy)))

    told = call(" ".join(folders)).stdout

    assert "\n[red]s0 " in told
