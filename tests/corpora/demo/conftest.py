"""The demo corpus itself, synthesised by each test that asks for it."""

import pytest


@pytest.fixture(autouse=True)
def demo_synthesised_once() -> None:
    """Let the corpus be synthesised each time."""
