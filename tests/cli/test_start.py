import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import Result

from nserbench.cli import main

Process = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = {"numpy", "pandas", "scipy", "torch", "transformers"}


def imported(process: Process, line: str) -> set[str]:
    """Return the modules that a command imports, with their packages."""
    answer = process(line, "-X", "importtime")
    assert answer.returncode == 0, answer.stderr
    return {row.rpartition("|")[2].strip() for row in answer.stderr.splitlines()}


@pytest.mark.parametrize("line", ["--help", "run --help", "list", "list --json"])
def test_help_and_list_import_nothing_heavy(process: Process, line: str) -> None:
    assert imported(process, line) & HEAVY == set()


@pytest.mark.parametrize("line", ["--help", "run --help"])
def test_help_imports_no_card(process: Process, line: str) -> None:
    modules = imported(process, line)

    assert "nserbench.cli" in modules
    assert modules & {"langcodes", "nserbench.cards", "nserbench.corpora"} == set()


def test_a_dry_run_imports_no_torch(process: Process, notes: str) -> None:
    found = imported(process, f"run --dry-run -u mel -d mean,bigru -c {notes}")

    assert found & HEAVY == {"numpy"}


def test_a_list_of_the_store_imports_no_torch(process: Process, notes: str) -> None:
    assert process(f"run -u mel -d mean -c {notes} --epochs 1").returncode == 0

    assert "torch" not in imported(process, "store ls")


def test_the_version_is_that_of_the_package(process: Process) -> None:
    answer = process("--version")

    assert answer.stdout == f"nserbench, version {version('nserbench')}\n"


def test_every_command_is_in_the_help_in_the_order_of_use(process: Process) -> None:
    answer = process("-h")

    told = answer.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in told] == [
        "list",
        "plan",
        "run",
        "experiment",
        "status",
        "show",
        "compare",
        "leaderboard",
        "submit",
        "plot",
        "mix",
        "doctor",
        "corpus",
        "download",
        "transcribe",
        "check",
        "new-plugin",
        "store",
        "completion",
    ]
    assert not [line for line in told if line.endswith("...")]


def test_a_closed_pipe_ends_it_without_a_word() -> None:
    command = [sys.executable, "-m", "nserbench", "list", "--json"]
    pipe = subprocess.PIPE

    with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        told = running.stderr.read()

    assert told == ""


def commands(command: click.Command) -> Iterator[click.Command]:
    """Yield a command and all its subcommands."""
    yield command
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            yield from commands(subcommand)


def test_o_and_out_are_the_same_option_in_every_command() -> None:
    names = [
        option.opts
        for command in commands(main)
        for option in command.params
        if {"-o", "--out"} & set(option.opts)
    ]

    assert names == [["-o", "--out"]] * 10


@pytest.mark.parametrize("encoding", ["gbk", "latin-1"])
def test_a_name_is_printed_whatever_the_encoding_lacks(
    process: Process, notes: str, encoding: str
) -> None:
    Path("notes.csv").rename("notes†.csv")

    line = "run --dry-run -u mel -d mean -c manifest:path=notes†.csv"
    answer = process(line, PYTHONIOENCODING=encoding)

    assert answer.returncode == 0, answer.stderr
    assert "notes+" in answer.stdout


def test_without_a_home_the_message_says_what_to_set(
    nserbench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    monkeypatch.delenv("NSERBENCH_STORE")

    result = nserbench("store ls")

    assert result.exit_code == 1
    assert "HOME is not set" in result.stderr
    assert "NSERBENCH_STORE" in result.stderr


@pytest.mark.parametrize("path", ["~/lab/r", "$LAB/r", "${LAB}/r"])
def test_home_and_variables_are_replaced_in_paths_that_no_shell_has_seen(
    nserbench: Callable[..., Result],
    notes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAB", str(tmp_path / "lab"))

    result = nserbench(f"run -u mel -d mean -c {notes} --epochs 1 --out={path}")

    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "lab/r").glob("*/result.json"))) == 1
