"""The three folders of MUSAN: noise, music and speech."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.noise.find import find_in
from nserbench.settings import Settings

OBTAIN = "unpack MUSAN's musan.tar.gz (https://www.openslr.org/17, CC BY 4.0)"


def load(card: NoiseCard, settings: Settings) -> Path:
    """Find one of the three folders.

    Args:
        card: ``musan/noise``, ``musan/music`` or ``musan/speech``.
        settings: Where ``musan`` is set to the folder that has the three folders.

    Raises:
        CorpusMissing: if the folder is not set, or the wanted folder is not in it.
    """
    return find_in("musan", card.name.removeprefix("musan/"), card, OBTAIN, settings)
