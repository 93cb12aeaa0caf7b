import shutil
from pathlib import Path

import pytest
from bundles import publishable
from click.testing import CliRunner

from nserbench.cli import main


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    publishable(tmp_path / "results")
    return tmp_path / "results"


def test_results_are_submitted_and_the_board_is_checked(
    lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "board" / "ann"
    call = ["submit", str(lab), "-o", str(out), "--name", "Ann"]

    sent = CliRunner().invoke(main, call)
    checked = CliRunner().invoke(main, ["check", "board", str(out.parent)])

    assert sent.exit_code == 0, sent.output
    assert sent.output.splitlines() == [
        f"1 result in {out}",
        "next: put it into the folder `board`, and run `nserbench check board`",
    ]
    assert checked.exit_code == 0, checked.output
    assert checked.output == "1 bundle with 1 result: no problems\n"


def test_a_faulty_board_ends_with_an_exit_code_and_all_problems(
    lab: Path, tmp_path: Path
) -> None:
    for name in ("ann", "bob"):
        shutil.copytree(lab, tmp_path / "board" / name)

    checked = CliRunner().invoke(main, ["check", "board", str(tmp_path / "board")])

    assert checked.exit_code == 1
    assert checked.stderr.splitlines() == [
        f"Error: {tmp_path / 'board'} has problems:",
        "  ann: bundle.json is missing",
        "  bob: bundle.json is missing",
        "  repair or remove the bundles that are named",
    ]


@pytest.mark.parametrize("typed", ["emodb", "=CC0-1.0", "emodb="])
def test_a_licence_that_is_not_typed_in_full_is_a_users_error(
    lab: Path, tmp_path: Path, typed: str
) -> None:
    call = ["submit", str(lab), "-o", str(tmp_path / "ann"), "--name", "Ann"]

    told = CliRunner().invoke(main, [*call, "--licence", typed])

    assert told.exit_code == 2
    assert "is not CORPUS=LICENCE" in told.stderr


def test_a_leaderboard_is_made_of_several_folders(lab: Path, tmp_path: Path) -> None:
    publishable(tmp_path / "more", "wavlm")
    folders = [str(lab), str(tmp_path / "more")]

    table = CliRunner().invoke(main, ["leaderboard", *folders, "--format", "csv"])
    page = tmp_path / "page"
    call = ["leaderboard", *folders, "--format", "html", "-o", str(page)]
    written = CliRunner().invoke(main, call)

    assert table.exit_code == 0, table.output
    rows = [line.split(",")[0] for line in table.output.splitlines()]
    assert dict.fromkeys(rows[1:]) == dict.fromkeys(["mel", "wavlm"])
    assert written.exit_code == 0, written.output
    assert (page / "index.html").is_file()
