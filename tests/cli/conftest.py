"""The command line in this process and in its own, and a small corpus to use it on."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result
from notes import write_corpus, write_noise

from nserbench.cli import main

Command: TypeAlias = Callable[..., Result]
Refused: TypeAlias = Callable[[str], str]
Process: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


SECONDS = 0.25, 0.25
"""How long each note of the corpus is."""


def call(line: str) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(main, shlex.split(line), prog_name="nserbench")


@pytest.fixture
def nserbench() -> Command:
    """Give a function that runs a command line in this process."""
    return call


@pytest.fixture
def refused() -> Refused:
    """Give a function that runs a command line and gives the message of its error.

    It checks that there is one message, nothing else, and no traceback.
    """

    def run(line: str) -> str:
        result = call(line)
        assert result.exit_code not in (0, None), result.output
        # Whatever is not told as a message is raised as it is.
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.stdout == ""
        _, *told = re.split("^Error: ", result.stderr, flags=re.MULTILINE)
        assert len(told) == 1, result.stderr
        return told[0]

    return run


@pytest.fixture
def process() -> Process:
    """Give a function that runs a command line, and more variables, in its own."""

    def run(
        line: str, *flags: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *flags, "-m", "nserbench", *shlex.split(line)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def notes() -> str:
    """Put a corpus, and the noise ``hiss`` in its settings, into the working folder.

    Returns:
        What names the corpus.
    """
    write_corpus(Path(), seconds=SECONDS)
    write_noise(Path("hiss.wav"))
    Path("nserbench.toml").write_text('[noises]\nhiss = "hiss.wav"\n')
    return "manifest:notes.csv"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder whose ``store`` and ``results`` a run has filled; not to change.

    It has mel under mean and bigru, and under weighted-sum, which mel cannot have, on
    clean notes and with hiss at 0 dB.
    """
    folder = tmp_path_factory.mktemp("finished")
    manifest = write_corpus(folder, seconds=SECONDS)
    write_noise(folder / "hiss.wav")
    (folder / "lab.toml").write_text('[noises]\nhiss = "hiss.wav"\n')
    result = call(
        f"run -u mel -d mean,bigru,weighted-sum -c manifest:{manifest} --epochs 1 "
        f"--noise clean --noise hiss --config {folder}/lab.toml "
        f"--store {folder}/store --out {folder}/results"
    )
    assert result.exit_code == 0, result.output
    return folder
