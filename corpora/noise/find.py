"""Finding a noise in its collection's folder, or saying where that should be."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard, folder_of
from nserbench.errors import CorpusMissing
from nserbench.settings import Settings, variable


def find_in(
    collection: str, wanted: str, card: NoiseCard, obtain: str, settings: Settings
) -> Path:
    """Find what a noise needs in the folder that is set for its collection.

    Args:
        collection: As in ``[paths]``, such as ``demand``.
        wanted: The file or folder in it, with forward slashes.
        card: The noise.
        obtain: How to get the collection.
        settings: Where to look.

    Raises:
        CorpusMissing: if the folder is not set, or does not hold it. Where the folder
            is a level too high or too low, the message says which one is right.
    """
    instead = f'write "{card.name}" = "FILE" under [noises] in nserbench.toml, or'
    folder = folder_of(collection, f"{instead}\n  {obtain}", settings)
    if (folder / wanted).exists():
        return folder / wanted
    hint = f"{instead}\n  {obtain}"
    if (right := _right_level(folder, wanted)) is not None:
        hint = f"it is at another level: set {variable(collection)} to {right}"
    raise CorpusMissing(
        f"noise {card.name!r} is not on this machine: there is no {folder / wanted}\n"
        f"  {hint}"
    )


def _right_level(folder: Path, wanted: str) -> Path | None:
    """Look one level below a folder, and up to two above it."""
    below = sorted(one for one in folder.iterdir() if one.is_dir())
    above = list(folder.absolute().parents[:2])
    right = (one for one in (*below, *above) if (one / wanted).exists())
    return next(right, None)
