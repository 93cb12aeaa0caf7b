"""ESC-50: 2000 clips of 5 s in fifty classes, ten for each of five groups."""

from __future__ import annotations

from pathlib import Path

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.noise.find import find_in
from nserbench.settings import Settings

OBTAIN = "unpack ESC-50 (https://github.com/karolpiczak/ESC-50, CC BY-NC 3.0)"

# A clip is named FOLD-CLIP-TAKE-TARGET.wav. The target is the class in meta/esc50.csv,
# from 0 to 49; its tens are the groups in the order of the collection's README.
CLIPS = {
    "esc50": "*-*-*-*.wav",
    "esc50/animals": "*-*-*-[0-9].wav",
    "esc50/nature": "*-*-*-1[0-9].wav",
    "esc50/human": "*-*-*-2[0-9].wav",
    "esc50/domestic": "*-*-*-3[0-9].wav",
    "esc50/urban": "*-*-*-4[0-9].wav",
}


def load(card: NoiseCard, settings: Settings) -> Path:
    """Return the pattern for the clips of a group.

    Args:
        card: A noise that is named in `CLIPS`.
        settings: Where ``esc50`` is set to the folder that has ``audio``.

    Raises:
        CorpusMissing: if the folder is not set, or the collection is not in it.
    """
    table = find_in("esc50", "meta/esc50.csv", card, OBTAIN, settings)
    return table.parents[1] / "audio" / CLIPS[card.name]
