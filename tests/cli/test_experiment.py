import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from nserbench.benchmark.experiments import catalogue
from nserbench.benchmark.experiments.run import BlockProblem
from nserbench.benchmark.experiments.summaries import FOLDER
from nserbench.benchmark.study.request import Request
from nserbench.cli.common.experiment_lines import problem_lines
from nserbench.cli.experiment import experiment

Command: TypeAlias = Callable[..., Result]

DEMO = "-c demo --limit 16 --epochs 1 --device cpu"


def call(line: str) -> Result:
    return CliRunner().invoke(experiment, shlex.split(line))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Return the folder and the output of a run of one row on the demo corpus."""
    folder = tmp_path_factory.mktemp("ran")
    into = f"--out {folder}/results --store {folder}/store"
    return folder, call(f"7 --only BiGRU {DEMO} {into}")


def test_a_row_is_run_and_reported(ran: tuple[Path, Result]) -> None:
    folder, result = ran

    assert result.exit_code == 0, result.output
    assert [one.name[:20] for one in (folder / "results").iterdir()] == [
        "mel_bigru_demo_clean"
    ]
    assert re.search(r"BiGRU +UAR +\d+\.\d \[", result.stdout)


def test_the_report_has_no_rows_that_were_not_asked_for(
    ran: tuple[Path, Result],
) -> None:
    told = ran[1].output

    assert "Wav2Vec" not in told
    assert "not run" not in told


def test_cells_with_a_result_are_not_run_again(ran: tuple[Path, Result]) -> None:
    folder, first = ran
    into = f"--out {folder}/results --store {folder}/store"

    second = call(f"7 --only mel {DEMO} {into}")

    assert second.stderr == "1 cell, 1 already there\n"
    assert second.stdout == first.stdout


def test_an_experiment_runs_in_worker_processes(
    ran: tuple[Path, Result], tmp_path: Path
) -> None:
    into = f"--out {tmp_path}/results --store {tmp_path}/store"

    shared = call(f"7 --only BiGRU {DEMO} {into} --on processes:1")

    assert shared.exit_code == 0, shared.output
    assert shared.stdout == ran[1].stdout


def test_markdown_has_the_same_numbers(ran: tuple[Path, Result]) -> None:
    folder, first = ran
    into = f"--out {folder}/results --store {folder}/store"
    (said,) = re.findall(r"BiGRU +UAR +(\d+\.\d) ", first.stdout)

    markdown = call(f"7 --only mel {DEMO} {into} --format markdown").stdout

    assert f"| Mel-Spectrogram | BiGRU | UAR | {said} " in markdown


def test_a_figure_without_results_is_reported_and_not_drawn(tmp_path: Path) -> None:
    result = call(f"4 --only Proposed {DEMO} --figures {tmp_path}/drawn")

    assert "drawn/table-v.svg: there is nothing to draw for snr" in result.stderr
    assert list((tmp_path / "drawn").iterdir()) == []


def test_an_experiment_without_figures_says_so(tmp_path: Path) -> None:
    result = call(f"7 --only BiGRU {DEMO} --figures {tmp_path}/drawn")

    assert "this experiment has tables alone, and no figure" in result.stderr


def test_a_head_may_have_its_own_number_of_epochs() -> None:
    one = call("7 --only mel -c demo --epochs bigru=3,2 --dry-run")
    other = call("7 --only mel -c demo --epochs fc=3 --epochs 2 --dry-run")

    assert one.stdout.startswith(
        "mel on demo, protocol demo+epochs=3\n  heads: bigru\n"
    )
    assert other.stdout.startswith("mel on demo, protocol demo+epochs=2\n")


@pytest.mark.parametrize("typed", ["ladapter=", "ladapter=0", "3.5", "=", "ladapter"])
def test_epochs_that_are_not_a_number_are_refused(typed: str) -> None:
    result = call(f"6 --epochs {typed}")

    assert result.exit_code == 2
    assert f"'{typed}' is not N or HEAD=N" in result.stderr


def test_a_dry_run_says_which_rows_are_not_the_authors_systems() -> None:
    result = call(f"1 --only MV-BiSSM {DEMO} --dry-run")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("mv-bissm")
    assert lines[1] == "  built from one line; not the authors' system"
    assert lines[2].startswith("  heads: ")


def test_a_dry_run_prints_the_cells_and_runs_none(tmp_path: Path) -> None:
    result = call(f"1 --only Mel-Spectrogram {DEMO} --snr 0,5 --dry-run --seeds 2")

    assert result.stdout.splitlines() == [
        "mel on demo, protocol demo+epochs=1+limit=16",
        "  heads: bigru",
        "  conditions: clean, human@0, human@5, park@0, park@5, traffic@0, traffic@5;",
        "    seeds: 0, 1",
    ]
    assert not (tmp_path / "results").exists()


def test_the_plan_has_the_cost_of_each_block_and_the_total(tmp_path: Path) -> None:
    result = call(f"7 --only mel {DEMO} --plan")

    assert result.exit_code == 0, result.output
    words = [line.split() for line in result.stdout.splitlines()]
    assert words[1][:2] == ["block", "to"]
    assert [line[:4] for line in words[3:5]] == [
        ["mel", "1", "0", "0"],
        ["total", "1", "0", "0"],
    ]
    assert not (tmp_path / "results").exists()


def test_a_missing_checkpoint_is_reported_and_the_rest_is_run(tmp_path: Path) -> None:
    result = call(f"7 --only 'mel,SSL (FZ)' {DEMO}")

    assert result.exit_code == 1
    assert re.search(r"BiGRU +UAR +\d+\.\d \[", result.stdout)
    assert re.search(r"HuBERT \(FZ\) +UAR +missing", result.stdout)
    assert "missing: facebook/hubert-base" in result.stderr
    assert "\n  hubert\n    on demo\n    blocks: SSL (FZ)\n" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_block_that_is_not_applicable_is_reported_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = (FOLDER / "7.toml").read_text(encoding="utf-8")
    ours = re.sub('"whisper-(en|cn)[^"]*"', '"mel"', grid)
    (tmp_path / "7.toml").write_text(ours, encoding="utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)

    result = call(f"7 --only ASR {DEMO}")

    assert result.exit_code == 0
    assert "not applicable: no cell can exist" in result.stderr
    assert "\n  mel\n    on demo\n    blocks: ASR\n" in result.stderr


@pytest.mark.parametrize("typed", ["whisper", "=there", "whisper="])
def test_a_checkpoint_needs_the_name_of_its_upstream(typed: str) -> None:
    result = call(f"7 --checkpoint {typed}")

    assert result.exit_code == 2
    assert "is not NAME=CHECKPOINT" in result.stderr


@pytest.mark.parametrize(
    ("option", "one", "other"),
    [
        ("--epochs", "5", "9"),
        ("--epochs", "mean=5", "mean=9"),
        ("--checkpoint", "whisper=a", "whisper=b"),
    ],
)
def test_two_values_for_one_setting_are_refused_with_both(
    option: str, one: str, other: str
) -> None:
    result = call(f"1 {option} {one} {option} {other}")

    values = [text.rpartition("=")[2] for text in (one, other)]
    assert result.exit_code == 2
    assert f"both {values[0]} and {values[1]} are given" in result.stderr


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        ("whisper-enc:checkpoint=FOLDER", "--checkpoint whisper-enc=FOLDER"),
        ("mel:enhance={dccrn:checkpoint=FOLDER}", "--checkpoint dccrn=FOLDER"),
        ("hf:FOLDER", "--upstream hf:FOLDER"),
    ],
)
def test_a_missing_checkpoint_is_asked_for_by_the_option_that_an_experiment_has(
    copy: str, said: str
) -> None:
    asked = Request(upstreams=["mel"], downstreams=["mean"], corpora=["demo"])
    problem = BlockProblem("b", asked, f"gone\n  a copy: --upstream {copy}", False)

    told = "\n".join(problem_lines([problem]))

    assert f"  a copy: {said}\n" in told
