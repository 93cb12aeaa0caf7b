"""Find the audio files that a list names."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

from nserbench.corpora.readers.text_files import is_pointer
from nserbench.errors import BadCorpus
from nserbench.user_paths import user_path

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_POINTER_BYTES = 1024
"""No pointer of git-lfs is larger."""


def listed_file(text: str, folder: Path, where: str) -> Path:
    """Return the path of a listed audio file.

    A file that is missing for no reason that can be told is left to whoever reads it.

    Args:
        text: The path as the list has it.
        folder: The folder of the list.
        where: ``FILE, line N`` of the list, for messages.

    Raises:
        BadCorpus: if the path is written as another system writes it, or stands for a
            file whose content is elsewhere.
    """
    try:
        path = user_path(text, folder)
        size = path.stat().st_size if path.exists() else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadCorpus(
            f"{where}: the path {text[:200]!r} cannot be used: {reason}"
        ) from error
    problem = _missing(text, path) if size is None else _pointer(path, size)
    if problem:
        raise BadCorpus(f"{where}: the path {text!r} {problem}")
    return path


def _pointer(path: Path, size: int) -> str:
    if size < _POINTER_BYTES and path.is_file() and is_pointer(path.read_bytes()):
        return "is only a pointer of git-lfs, not the audio\n  run `git lfs pull` there"
    return ""


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
