"""The functionals of openSMILE: one vector for each utterance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import opensmile
import torch
from numpy.typing import NDArray
from opensmile import FeatureSet

from nserbench.cards import Options
from nserbench.errors import BadAudio
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)

LOUDEST = 1 - 2**-15
"""The highest sample that 16 bits hold; the lowest is -1."""

_DECIDING = frozenset({".conf", ".dll", ".dylib", ".inc", ".py", ".so"})


class Functionals(Upstream):
    """A feature set of openSMILE, as its library gives it.

    openSMILE makes 16-bit numbers of a wave without looking at its level: a sample of
    1.0 or more would come out with the other sign. Mixtures with noise go beyond 1.0,
    so we clip them there, as a 16-bit file of the mixture would.

    Args:
        feature_set: Which functionals, over the whole utterance.
        options: Of the card; none matters here.
        device: Where the features go, such as ``"cuda:0"``; openSMILE uses the CPU.
    """

    def __init__(self, feature_set: FeatureSet, options: Options, device: str) -> None:
        super().__init__(options, device)
        self.smile = opensmile.Smile(feature_set, opensmile.FeatureLevel.Functionals)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the functionals as layer 1 of the group ``functionals``, in one frame.

        As many utterances are worked on at once as torch has threads.

        Raises:
            BadAudio: if a functional has no value, as happens where a wave is shorter
                than the windows of the set.
        """
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            rows = list(threads.map(self._row, batch.ids, batch.waves))
        states = torch.from_numpy(np.stack(rows)).to(self.device)
        lengths = torch.ones(len(rows), dtype=torch.int64, device=self.device)
        return {"functionals": LayerGroup(states[None, :, None], lengths)}

    def _row(self, utterance: str, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the functionals of one utterance, ``(dim,)``."""
        row: NDArray[np.float32]
        row = self.smile(wave.clip(-1.0, LOUDEST), SAMPLE_RATE)[0, :, 0]
        if lacking := int((~np.isfinite(row)).sum()):
            raise BadAudio(
                f"openSMILE has no value for {lacking} of the {len(row)} functionals "
                f"of {utterance}, which has {len(wave)} samples\n"
                "  wanted: a longer clip"
            )
        return row


IS09 = partial(Functionals, FeatureSet.IS09)
IS10 = partial(Functionals, FeatureSet.IS10)
IS11 = partial(Functionals, FeatureSet.IS11)
IS12 = partial(Functionals, FeatureSet.IS12)
IS13 = partial(Functionals, FeatureSet.IS13)
EGEMAPS = partial(Functionals, FeatureSet.eGeMAPSv02)
COMPARE = partial(Functionals, FeatureSet.ComParE_2016)


def opensmile_files(options: Options) -> list[Path]:
    """Give openSMILE's library and configurations, which decide the functionals.

    Another version of openSMILE so makes other features.
    """
    core = Path(opensmile.__file__).parent / "core"
    return sorted(file for file in core.rglob("*") if file.suffix in _DECIDING)
