"""A file that is no earlier output of a command is not overwritten by it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from small_results import adder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with results of two heads."""
    add = adder(tmp_path / "results")
    add()
    add("mel", "bigru", right="11110000")
    monkeypatch.chdir(tmp_path)
    return tmp_path


TWO_CELLS = "'mel x mean x emodb clean' 'mel x bigru x emodb clean'"


@pytest.mark.parametrize(
    "line",
    [
        "leaderboard --format markdown -o nserbench.toml",
        "leaderboard -o list.csv",
        "leaderboard --format csv -o list.csv",
        f"compare {TWO_CELLS} --flips list.csv",
        "transcribe -u whisper -c demo -o list.csv",
        "run -u mel -d mean -c demo -o list.csv",
    ],
)
def test_another_file_is_not_overwritten(
    folder: Path, refused: Callable[[str], str], line: str
) -> None:
    file = folder / line.split()[-1]
    mine = "[paths]\n" if file.suffix == ".toml" else "path,label\n1.wav,anger\n"
    file.write_text(mine)

    message = refused(line)

    assert file.name in message
    assert file.read_text() == mine


@pytest.mark.parametrize(
    "line",
    [
        "leaderboard -o board.txt",
        "leaderboard --format csv -o board.csv",
        "leaderboard --format markdown -o board.md",
        f"compare {TWO_CELLS} --flips flips.csv",
    ],
)
def test_an_earlier_output_is_replaced(
    folder: Path, nserbench: Callable[[str], Result], line: str
) -> None:
    first, second = nserbench(line), nserbench(line)

    assert (first.exit_code, second.exit_code) == (0, 0)
