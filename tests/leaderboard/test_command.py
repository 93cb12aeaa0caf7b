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
    table, notes = result.output.split("\n\n★")
    assert [line.rstrip() for line in table.splitlines()] == [
        "                    emodb",
        "upstream  head      clean†",
        "────────────────────────────────────────",
        "mel       mean  F1  100.0 [43.4, 100.0]★",
        "",
        "chance          F1  50.0",
    ]
    assert " ".join(notes.split()) == (
        ": the best of its column "
        "F1: mean of folds, in percent; 95 % interval in brackets, by bootstrap over "
        "speakers †: fewer than 10 speakers (or other units of independence), so "
        "intervals and tests are only approximate chance: chance level, if each class "
        "is guessed equally often protocol probe v1 on emodb: epochs 50, standardise "
        "yes seeds: 0 one seed: intervals and tests do not include the variance over "
        "seeds"
    )


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
    [
        ("markdown", "| upstream |"),
        ("csv", "upstream,downstream"),
        ("json", '{\n "unit"'),
        ("latex", "% needs"),
    ],
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


def test_a_row_can_be_compared_with_the_others(root: Path, add: Add) -> None:
    add(right="11110000")
    add(head="last")

    result = CliRunner().invoke(leaderboard, [str(root), "--against", "mel x mean"])

    assert result.exit_code == 0, result.output
    assert "ΔUAR" in result.output


@pytest.mark.parametrize("row", ["mel", "mel x bigru"])
def test_an_unknown_row_is_a_users_error(root: Path, add: Add, row: str) -> None:
    add()

    result = CliRunner().invoke(leaderboard, [str(root), "--against", row])

    assert result.exit_code
    assert "mel" in str(result.exception) + result.output


def test_robustness_is_a_table_of_its_own(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0", "park@10"):
        add(condition=condition)

    result = CliRunner().invoke(
        leaderboard, [str(root), "--robustness", "--format", "csv"]
    )

    assert result.exit_code == 0, result.output
    assert "area" in result.output


def test_published_numbers_are_shown_with_ours(root: Path, add: Add) -> None:
    add(corpus="iemocap", condition="park@0")

    result = CliRunner().invoke(leaderboard, [str(root), "--reference", "paper"])

    assert result.exit_code == 0, result.output
    assert "theirs" in result.output


def test_a_table_can_be_written_to_a_file(root: Path, add: Add, tmp_path: Path) -> None:
    add()
    file = tmp_path / "table.tex"

    result = CliRunner().invoke(
        leaderboard, [str(root), "--format", "latex", "-o", str(file)]
    )

    assert result.exit_code == 0, result.output
    assert "toprule" in file.read_text(encoding="utf-8")


def test_the_page_is_written_to_a_folder(root: Path, add: Add, tmp_path: Path) -> None:
    add()

    result = CliRunner().invoke(
        leaderboard, [str(root), "--format", "html", "-o", str(tmp_path / "site")]
    )

    assert result.exit_code == 0, result.output
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    "options",
    [
        ["--robustness", "--reference", "paper"],
        ["--format", "html", "--robustness"],
        ["--format", "latex", "--reference", "paper"],
    ],
)
def test_options_that_exclude_each_other_are_refused(
    root: Path, add: Add, options: list[str]
) -> None:
    add(corpus="iemocap")

    result = CliRunner().invoke(leaderboard, [str(root), *options])

    assert result.exit_code == 2
    assert "Error" in result.output


def test_latex_has_intervals_where_they_are_asked_for(root: Path, add: Add) -> None:
    add(right="11111110")

    plain, full = (
        CliRunner().invoke(leaderboard, [str(root), "--format", "latex", *more]).output
        for more in ([], ["--intervals"])
    )
    refused = CliRunner().invoke(leaderboard, [str(root), "--intervals"])

    assert "16.6, 99.6]" in full
    assert "16.6, 99.6]" not in plain
    assert refused.exit_code == 2
    assert "--intervals is for --format latex" in " ".join(refused.output.split())
