"""What a bundle says of itself: who sends it, and what its results were made with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from nserbench.errors import BadResult
from nserbench.plain_data import parse_json

MANIFEST = "bundle.json"
SCHEMA = 1
"""Version of the manifest's format."""
LONGEST = 1000
"""Most characters of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest of a bundle of results.

    Attributes:
        name: Who sends it: a person or a lab.
        contact: An address for questions; empty for none.
        note: Anything else, such as where the audio of own noises is.
        nserbench: Version of nserbench that wrote the bundle.
        commit: Commit of nserbench for results that do not say it; empty for none.
        corpora: Licence of each corpus, by its name.
        plugins: Where the code of each plugin is.
        hardware: The machines and devices.
        results: SHA-256 of each ``result.json``, by the name of its folder.
    """

    name: str
    contact: str = ""
    note: str = ""
    nserbench: str
    commit: str = ""
    corpora: Mapping[str, str]
    plugins: Mapping[str, str]
    hardware: Sequence[str]
    results: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write the manifest of a bundle."""
        content = {"schema": SCHEMA, **asdict(self)}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a bundle.

    Raises:
        BadResult: if it is missing, damaged or of another schema, a field is missing or
            of another type, or a text is too long or cannot be printed.
    """
    try:
        content = parse_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise BadResult(f"{MANIFEST} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadResult(f"{MANIFEST} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise BadResult(f"{MANIFEST} does not have the schema {SCHEMA}")
    types = get_type_hints(Manifest)
    return Manifest(
        **{
            field.name: _checked(field.name, content.get(field.name), types[field.name])
            for field in fields(Manifest)
        }
    )


def _checked(name: str, value: Any, wanted: object) -> Any:
    """Return a field of the manifest, all of whose texts can be printed."""
    if wanted is str:
        texts, right = [value], isinstance(value, str)
    elif wanted == Sequence[str]:
        texts, right = value, isinstance(value, list)
    else:
        right = isinstance(value, dict)
        texts = [*value, *value.values()] if right else []
    if not right or not all(isinstance(text, str) for text in texts):
        raise BadResult(f"{MANIFEST}: the field {name!r} is missing or of a wrong type")
    if not all(is_plain(text) for text in texts):
        raise BadResult(
            f"{MANIFEST}: the field {name!r} has control characters, or a text of more "
            f"than {LONGEST} characters"
        )
    return value


def is_plain(text: str, longest: int = LONGEST) -> bool:
    """Return whether a text can be printed in one line, and is not too long."""
    return len(text) <= longest and text.isprintable()
