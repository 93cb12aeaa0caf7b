"""Find a noise in the folder of its collection."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard, folder_of
from nserbench.errors import CorpusMissing
from nserbench.settings import Settings, variable


def find_in(
    collection: str, wanted: str, card: NoiseCard, obtain: str, settings: Settings
) -> Path:
    """Find a file or folder of a noise in the folder that is set for its collection.

    Args:
        collection: Name of the collection, as in ``[paths]``, such as ``demand``.
        wanted: Path of the file or folder in it, with forward slashes.

    Raises:
        CorpusMissing: if the folder is not set, or ``wanted`` is not in it. If the
            folder is one level too high or too low, the message has the right one.
    """
    instead = f'write "{card.name}" = "FILE" under [noises] in {settings.file}, or'
    folder = folder_of(collection, f"{instead}\n  {obtain}", settings)
    if (folder / wanted).exists():
        return folder / wanted
    hint = f"{instead}\n  {obtain}"
    if (right := _right_level(folder, wanted)) is not None:
        hint = f"it is in another folder: set {variable(collection)} to {right}"
    raise CorpusMissing(
        f"noise {card.name!r} is not on this machine: there is no {folder / wanted}\n"
        f"  {hint}"
    )


def _right_level(folder: Path, wanted: str) -> Path | None:
    """Look one level below a folder, and up to two above it."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    above = folder.absolute().parents[:2]
    return next((path for path in (*below, *above) if (path / wanted).exists()), None)
