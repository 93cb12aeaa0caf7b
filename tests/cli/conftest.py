"""Functions that run the command line, and a small corpus for it."""

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
"""Shortest and longest duration of an utterance of the corpus."""


def call(line: str) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(main, shlex.split(line), prog_name="nserbench")


@pytest.fixture
def nserbench() -> Command:
    """Return a function that runs a command line in this process."""
    return call


@pytest.fixture
def refused() -> Refused:
    """Return a function that runs a command line and returns its error message.

    It checks that there is exactly one message and no traceback.
    """

    def run(line: str) -> str:
        result = call(line)
        assert result.exit_code not in (0, None), result.output
        # An error without a message would be another exception.
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.stdout == ""
        _, *messages = re.split("^Error: ", result.stderr, flags=re.MULTILINE)
        assert len(messages) == 1, result.stderr
        return messages[0]

    return run


@pytest.fixture
def process() -> Process:
    """Return a function that runs a command line in a new process."""

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
    """Write a corpus, and settings with the noise ``hiss``, into the working folder.

    Returns:
        The name of the corpus for the command line.
    """
    write_corpus(Path(), seconds=SECONDS)
    write_noise(Path("hiss.wav"))
    Path("nserbench.toml").write_text('[noises]\nhiss = "hiss.wav"\n')
    return "manifest:notes.csv"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the ``store`` and ``results`` of a run; do not change it.

    The run has mel with mean, bigru and weighted-sum (not applicable), on clean speech
    and with hiss at 0 dB.
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
