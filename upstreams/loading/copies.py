"""How to type a copy of a checkpoint, for messages about one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nserbench.errors import CheckpointMissing

COPY = "--upstream checkpoint=FOLDER"
"""The option in messages of functions that do not know the upstream's name."""


@contextmanager
def typed_as(form: str, instead: str = COPY) -> Iterator[None]:
    """In the block, write the option that names a copy of a checkpoint in full.

    Args:
        form: The whole option, such as ``--upstream whisper:checkpoint=FOLDER``.
        instead: What it replaces in a message.
    """
    try:
        yield
    except CheckpointMissing as error:
        text = str(error)
        if instead not in text:
            raise
        raise CheckpointMissing(text.replace(instead, form)) from error


def copy_of(name: str) -> str:
    """Return the option that names a copy of the checkpoint of an upstream."""
    return COPY.replace(" ", f" {name}:")


@contextmanager
def nested_in(option: str, name: str) -> Iterator[None]:
    """In the block, write the option for a model that the option of another names."""
    inner = copy_of(name)
    nested = inner.removeprefix("--upstream ")
    with typed_as(f"--upstream {option}{{{nested}}}", inner):
        yield
