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
from opensmile.core.config import config

from nserbench.cards import Options
from nserbench.errors import BadAudio
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)

FLOATS = 33
"""The number of bits by which openSMILE is told that samples are 32-bit floats."""
FULL = 2**15 / (2**15 - 1)
"""What openSMILE makes of a 16-bit sample at 1.0: it divides by 32767, not by 32768."""

_DECIDING = frozenset({".conf", ".dll", ".dylib", ".inc", ".py", ".so"})


class Functionals(Upstream):
    """A feature set of openSMILE, as its library gives it.

    The Python package makes 16-bit numbers of a wave without looking at its level: a
    sample of 1.0 or more would come out with the other sign. Mixtures with noise go
    beyond 1.0, so we hand the library the samples as they are; see `heard`.

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
        row = heard(self.smile, wave)
        if lacking := int((~np.isfinite(row)).sum()):
            raise BadAudio(
                f"openSMILE has no value for {lacking} of the {len(row)} functionals "
                f"of {utterance}, which has {len(wave)} samples\n"
                "  wanted: a longer clip"
            )
        return row


def heard(smile: opensmile.Smile, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the functionals of a wave, ``(dim,)``; NaN where it is too short.

    This is what the package does, but that it hands over 32-bit floats, of any level,
    in place of 16-bit numbers. For audio of 16 bits the values are the package's own.

    Args:
        smile: The feature set.
        wave: ``(samples,)``, 16 kHz mono.
    """
    rows: list[NDArray[np.float32]] = []
    samples = (FULL * wave.astype(np.float64)).astype(np.float32)
    options = {
        **smile._options(),
        "source": str(Path(smile.default_config_root, config.EXTERNAL_INPUT_CONFIG)),
        "sampleRate": SAMPLE_RATE,
        "nBits": FLOATS,
    }
    library = smile._smile(options=options)
    library.external_sink_set_callback_ex(
        config.EXTERNAL_OUTPUT_COMPONENT, lambda data, meta: rows.append(data.copy())
    )
    library.external_audio_source_write_data(
        config.EXTERNAL_SOURCE_COMPONENT, samples.tobytes()
    )
    library.external_audio_source_set_eoi(config.EXTERNAL_SOURCE_COMPONENT)
    library.run()
    library.free()
    if not rows:
        return np.full(smile.num_features, np.nan, np.float32)
    found: NDArray[np.float32] = np.concatenate(rows, axis=None)
    return found


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
