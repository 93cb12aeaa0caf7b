from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from nserbench.cli.leaderboard import leaderboard
from nserbench.errors import BadResult, UnknownName

Add = Callable[..., Path]


def test_the_table_is_printed_by_default(root: Path, add: Add) -> None:
    add()

    result = CliRunner().invoke(leaderboard, [str(root), "--metric", "f1"])

    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.output.splitlines()] == [
        "                    emodb",
        "upstream  head      clean",
        "─────────────────────────────────────────",
        "mel       mean  F1  100.0 [100.0, 100.0]",
        "",
        "F1: mean of folds, percent; in brackets 95 %, bootstrap over speakers",
        "protocol probe v1 on emodb: epochs 50, standardise yes",
        "seeds: 0",
    ]


def test_the_folder_is_that_of_the_settings_unless_given(
    root: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSERBENCH_RESULTS", raising=False)
    add()
    settings = tmp_path / "mine.toml"
    settings.write_text('[paths]\nresults = "results"\n', encoding="utf-8")

    result = CliRunner().invoke(
        leaderboard, ["--config", str(settings), "--format", "csv"]
    )

    assert result.exit_code == 0, result.output
    assert result.output.count("mel,mean,emodb,clean") == 2


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("markdown", "| upstream |"), ("csv", "upstream,head"), ("json", '{\n "unit"')],
)
def test_every_form_can_be_asked_for(
    root: Path, add: Add, form: str, beginning: str
) -> None:
    add()

    result = CliRunner().invoke(leaderboard, [str(root), "--format", form])

    assert result.exit_code == 0, result.output
    assert result.output.startswith(beginning)


def test_a_misspelt_metric_is_a_users_error(root: Path, add: Add) -> None:
    add()

    result = CliRunner().invoke(leaderboard, [str(root), "--metric", "war"])

    assert isinstance(result.exception, UnknownName)


def test_an_empty_folder_is_a_users_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(leaderboard, [str(tmp_path)])

    assert isinstance(result.exception, BadResult)
