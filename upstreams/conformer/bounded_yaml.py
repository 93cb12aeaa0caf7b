"""Read the text of a YAML file, if it cannot grow without bound."""

from __future__ import annotations

from pathlib import Path

import yaml

from nserbench.errors import CheckpointMissing

MOST_CHARACTERS = 100_000
"""Length of a file; the published ones have about 10 000."""
MOST_NODES = 10_000
"""Values of a file, each counted as often as an alias repeats it."""
MOST_LEVELS = 50
"""Mappings and lists within one another."""


def read_bounded(file: Path) -> str:
    """Return the text of a YAML file.

    Raises:
        CheckpointMissing: if it cannot be read or is no YAML, is too long, nests too
            deeply, or grows beyond bounds when its aliases are followed.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"it has {len(text)} characters")
        _refuse_growth(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointMissing(f"{file} cannot be read: {error}") from error
    return text


def _refuse_growth(text: str) -> None:
    """Count values and levels without building the values.

    Raises:
        ValueError: if there are too many.
    """
    sizes: dict[str | None, int] = {}
    open_counts: list[tuple[str | None, int]] = []
    count = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_counts.pop()
            sizes[anchor] = count - before
        elif isinstance(event, yaml.AliasEvent):
            count += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_counts.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
        if count > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES} values")
        if len(open_counts) > MOST_LEVELS:
            raise ValueError(f"it nests more than {MOST_LEVELS} levels deep")
