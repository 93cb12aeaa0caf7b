"""A folder of small results, each made in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_results import adder

Add = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def add(root: Path) -> Add:
    """Return a function that writes a result; see `adder`."""
    return adder(root)


@pytest.fixture
def two_noises(root: Path, add: Add) -> Path:
    """Return two rows on clean speech and in two noises at two SNRs.

    UAR of mel in the park: 0.75 at 0 dB, 0.875 at 5 dB.
    """
    for upstream in ("mel", "whisper"):
        add(upstream, condition="clean")
        add(upstream, condition="human@0", right="11110000")
        add(upstream, condition="human@5", right="11111010")
    add("mel", condition="park@0", right="11111100")
    add("mel", condition="park@5", right="11111110")
    add("whisper", condition="park@0", right="11110000")
    add("whisper", condition="park@5", right="11110110")
    return root
