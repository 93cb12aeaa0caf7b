"""The recordings of DEMAND, which has the noises of the paper (Sec. IV-A)."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.noise.find import find_in
from nserbench.settings import Settings

# The paper names OMEETING and NPARK. DEMAND has no "Traffic segment of the
# Transportation category"; we use STRAFFIC, a busy traffic intersection.
RECORDINGS = {"human": "OMEETING", "park": "NPARK", "traffic": "STRAFFIC"}
CHANNEL = "ch01.wav"  # of 16; the paper does not say which, we use the first


def load(card: NoiseCard, settings: Settings) -> Path:
    """Find the first channel of a recording, in the 16 kHz or the 48 kHz edition.

    Args:
        card: ``human``, ``park``, ``traffic``, or DEMAND's name in lower case.
        settings: Where ``demand`` is set to the folder of the recordings.

    Raises:
        CorpusMissing: if the folder is not set, or the recording is not in it.
    """
    recording = RECORDINGS.get(card.name, card.name.upper())
    obtain = f"unpack {recording} of DEMAND (Zenodo record 1227121, CC BY 4.0)"
    return find_in(
        "demand",
        f"{recording}/{CHANNEL}",
        card,
        f"{obtain} into a folder",
        settings,
    )
