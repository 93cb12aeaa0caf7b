"""A variable that is nearly one that nserbench reads is told once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]


def told(name: str, near: str) -> str:
    return f"warning: {name} is set, but not read: did you mean {near}?\n"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("NSERBENCH_EMO_DB", "NSERBENCH_EMODB"),
        ("NSERBENCH_CREMAD", "NSERBENCH_CREMA_D"),
        ("NSERBENCH_DEMANDS", "NSERBENCH_DEMAND"),
        ("NSERBENCH_STORE_LIMITS", "NSERBENCH_STORE_LIMIT"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest(
    nserbench: Command, monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    monkeypatch.delenv(near, raising=False)
    monkeypatch.setenv(name, "x")

    assert nserbench("list corpora").stderr == told(name, near)


def test_a_command_that_loads_plugins_late_tells_it_once(
    nserbench: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSERBENCH_STORE")
    monkeypatch.setenv("NSERBENCH_STOR", "x")

    shown = nserbench(f"leaderboard {finished}/results --format html --out page")

    assert shown.exit_code == 0, shown.output
    assert shown.stderr == told("NSERBENCH_STOR", "NSERBENCH_STORE")


@pytest.mark.parametrize("name", ["NSERBENCH_BEEPS", "NSERBENCH_TEST_DATA"])
def test_a_variable_of_a_plugin_or_of_the_tests_is_not_told(
    nserbench: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")

    assert nserbench("list corpora").stderr == ""


def test_a_variable_of_a_corpus_of_a_plugin_is_not_told(
    nserbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("lab.py").write_text(
        "import nserbench as nb\n"
        "@nb.hookimpl\n"
        "def nserbench_corpora():\n"
        "    return [nb.CorpusCard(name='emodb2', load='lab:read')]\n"
    )
    monkeypatch.delenv("NSERBENCH_EMODB", raising=False)
    monkeypatch.setenv("NSERBENCH_EMODB2", "x")

    assert nserbench("list corpora --plugin lab.py").stderr == ""


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_unknown_library_for_matrices_is_refused_before_the_first_cell(
    refused: Callable[[str], str],
    notes: str,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.setenv("NSERBENCH_MATMUL", "fast")

    message = refused(f"{command} -u mel -d mean -c {notes}")

    assert message.startswith("NSERBENCH_MATMUL=fast is unknown")
    assert not list(Path("results").glob("*"))
