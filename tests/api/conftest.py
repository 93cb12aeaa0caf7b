"""A small corpus in the working folder, and a noise to add to it."""

from pathlib import Path

import pytest
from notes import write_corpus, write_noise


@pytest.fixture
def notes() -> str:
    """Write a corpus, and settings with the noise ``hiss``; return its name."""
    write_corpus(Path(), seconds=(0.25, 0.25))
    write_noise(Path("hiss.wav"))
    Path("nserbench.toml").write_text('[noises]\nhiss = "hiss.wav"\n')
    return "manifest:notes.csv"
