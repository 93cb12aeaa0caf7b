"""The demo corpus itself, synthesised by each test that asks for it."""

import pytest


@pytest.fixture(autouse=True)
def demo_made_once() -> None:
    """Leave the making of the corpus as it is."""
