"""The demo corpus itself, synthesised by each test that asks for it."""

import pytest


@pytest.fixture(autouse=True)
def demo_written_once() -> None:
    """Let the corpus be synthesised each time."""
