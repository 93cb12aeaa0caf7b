"""The tab key completes names, quickly and without a word of its own."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result

from nserbench.cli import main

Command = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]


def completed(line: str) -> list[str]:
    """Return what the last word of a command line is completed to."""
    *words, last = shlex.split(line)
    shell = ShellComplete(main, {}, "nserbench", "_NSERBENCH_COMPLETE")
    return [item.value for item in shell.get_completions(words, last)]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("run -u whisper-e", ["whisper-enc", "whisper-en"]),
        ("run -u mel,wavl", ["mel,wavlm"]),
        ("run -u mel+wavl", ["mel+wavlm"]),
        ("plan -d ladap", ["ladapter"]),
        ("run -c emod", ["emodb"]),
        ("run -c demo-par", ["demo-park"]),
        ("mix -c emodb,demo-traf", ["emodb,demo-traffic"]),
        ("run --noise clean,whi", ["clean,white"]),
        ("run --protocol pro", ["probe"]),
        ("run --protocol probe+or", ["probe+oracle"]),
        ("list upstreams wavl", ["wavlm"]),
        ("list enhancers dc", ["dccrn"]),
        ("download esc", ["esc50"]),
        ("corpus stats nem", ["nemo"]),
        ("doctor traf", ["traffic"]),
        ("experiment 7", ["7"]),
        ("completion zs", ["zsh"]),
    ],
)
def test_names_are_completed(line: str, wanted: list[str]) -> None:
    assert sorted(completed(line)) == sorted(wanted)


def test_noises_of_the_settings_are_completed() -> None:
    Path("nserbench.toml").write_text('[noises]\nhissing = "hiss.wav"\n')

    assert completed("run -c demo-hiss") == ["demo-hissing"]


def test_corpora_of_the_settings_are_completed_alone_and_with_a_noise() -> None:
    Path("nserbench.toml").write_text('[corpora]\nmine = "manifest:list.csv"\n')

    assert completed("run -c min") == ["mine"]
    assert completed("run -c mine-traf") == ["mine-traffic"]


def test_broken_settings_complete_nothing_and_print_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path("nserbench.toml").write_text("[noises")

    assert completed("run --noise cl") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(nserbench: Command, shell: str) -> None:
    result = nserbench(f"completion {shell}")

    assert result.exit_code == 0
    assert f"_NSERBENCH_COMPLETE={shell}_complete" in result.stdout


def test_the_program_answers_the_shell_without_heavy_imports(process: Process) -> None:
    answer = process(
        "",
        *("-X", "importtime"),
        _NSERBENCH_COMPLETE="bash_complete",
        COMP_WORDS="nserbench run -u wavl",
        COMP_CWORD="3",
    )

    assert answer.stdout == "plain,wavlm\n"
    assert not {"numpy", "torch"} & {
        row.rpartition("|")[2].strip() for row in answer.stderr.splitlines()
    }
