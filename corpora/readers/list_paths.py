"""Find the audio files that a list names."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

from nserbench.errors import BadCorpus
from nserbench.paths import exists, expanded_path

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def listed_file(text: str, folder: Path, where: str) -> Path:
    """Return the path of a listed audio file.

    A file that is missing for no reason that can be told is left to whoever reads it.

    Args:
        text: The path as the list has it.
        folder: The folder of the list.
        where: ``FILE, line N`` of the list, for messages.

    Raises:
        BadCorpus: if the path is written as another system writes it, or the file is
            only in iCloud.
    """
    try:
        path = expanded_path(text, folder)
        problem = "" if exists(path) else _missing(text, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadCorpus(
            f"{where}: the path {text[:200]!r} cannot be used: {reason}"
        ) from error
    if problem:
        raise BadCorpus(f"{where}: the path {text!r} {problem}")
    return path


def _missing(text: str, path: Path) -> str:
    """Say why there is no such file, if the path or its folder tells; else nothing."""
    if "://" in text:
        return "is a URL\n  write the path of the file, without file://"
    if text[:1] in ("'", '"') and text[-1:] == text[:1]:
        return "is in quotation marks\n  write it without them"
    if "\\" in text:
        return "has backslashes, and there is no such file\n  write / between folders"
    if (path.parent / f".{path.name}.icloud").exists():
        return "is a file that is only in iCloud\n  download it, then run this again"
    for form in _FORMS:
        other = Path(unicodedata.normalize(form, str(path)))
        if other.exists():
            return (
                "names a file that is there under the same letters in another Unicode "
                f"form, {form}\n  write the path in the form {form}, or rename the file"
            )
    return ""
