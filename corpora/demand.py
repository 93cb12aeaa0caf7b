"""The recordings of DEMAND, the noises of the paper (Sec. IV-A)."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard, folder_of
from nserbench.errors import CorpusMissing
from nserbench.settings import Settings

# The paper names OMEETING and NPARK. Of "the Traffic segment of the Transportation
# category", which is not in DEMAND, we take STRAFFIC, its busy roadway.
RECORDINGS = {"human": "OMEETING", "park": "NPARK", "traffic": "STRAFFIC"}
CHANNEL = "ch01.wav"  # of 16; the paper does not say, we take the first


def load(card: NoiseCard, settings: Settings) -> Path:
    """Find the first channel of a recording.

    Args:
        card: ``human``, ``park``, ``traffic``, or DEMAND's own name in lower case.
        settings: Where ``demand`` is set to the folder that holds the recordings.

    Raises:
        CorpusMissing: if the folder is not set, or does not hold the recording.
    """
    recording = RECORDINGS.get(card.name, card.name.upper())
    obtain = (
        f'write {card.name} = "FILE" under [noises] in nserbench.toml, or unpack '
        f"{recording}\n  of DEMAND (Zenodo record 1227121, CC BY 4.0) into a folder"
    )
    folder = folder_of("demand", obtain, settings)
    file = folder / recording / CHANNEL
    if not file.is_file():
        raise CorpusMissing(
            f"noise {card.name!r} is not on this machine: there is no {file}\n"
            f"  {_level(folder, recording) or obtain}"
        )
    return file


def _level(folder: Path, recording: str) -> str | None:
    """Say where NSERBENCH_DEMAND should point if it is a level too high or too low."""
    if (folder / CHANNEL).is_file():
        right = folder.absolute().parent
        return f"{folder} is one recording: set NSERBENCH_DEMAND to {right}"
    for inner in sorted(folder.glob(f"*/{recording}/{CHANNEL}")):
        right = inner.parents[1]
        return f"it is a level deeper: set NSERBENCH_DEMAND to {right}"
    return None
