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
"""The value of ``nBits`` that means 32-bit floats in openSMILE."""
FULL = 2**15 / (2**15 - 1)
"""A 16-bit sample of 1.0 in openSMILE, which divides by 32767, not by 32768."""

_DECIDING = frozenset({".conf", ".dll", ".dylib", ".inc", ".py", ".so"})


class Functionals(Upstream):
    """A feature set of openSMILE, computed by its C++ library.

    The Python package converts a wave to 16-bit integers without clipping, so a sample
    of 1.0 or more changes its sign. Mixtures with noise go beyond 1.0, so the library
    gets the samples as floats; see `functionals`.

    Args:
        device: Device of the features, such as ``"cuda:0"``; openSMILE uses the CPU.
    """

    def __init__(self, feature_set: FeatureSet, options: Options, device: str) -> None:
        super().__init__(options, device)
        self.smile = opensmile.Smile(feature_set, opensmile.FeatureLevel.Functionals)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the functionals as layer 1 of the group ``functionals``, in one frame.

        Utterances run in parallel, in as many threads as torch has.

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
        """Return the functionals of one utterance, ``(dim,)``."""
        row = functionals(self.smile, wave)
        if lacking := int((~np.isfinite(row)).sum()):
            raise BadAudio(
                f"openSMILE has no value for {lacking} of the {len(row)} functionals "
                f"of {utterance}, which has {len(wave)} samples\n"
                "  wanted: a longer clip"
            )
        return row


def functionals(
    smile: opensmile.Smile, wave: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the functionals of a wave, ``(dim,)``; NaN if it is too short.

    As in the Python package, but with 32-bit floats of any amplitude in place of 16-bit
    integers. For 16-bit audio the values equal those of the package.

    Args:
        wave: ``(samples,)``, 16 kHz mono.
    """
    rows = _run(smile, wave)
    if not rows:
        return np.full(smile.num_features, np.nan, np.float32)
    row: NDArray[np.float32] = np.concatenate(rows, axis=None)
    return row


def descriptors(
    smile: opensmile.Smile, wave: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the low-level descriptors of a wave, ``(frames, dim)``, 100 per second.

    Args:
        smile: A feature set at the level of its descriptors.
        wave: As for `functionals`.

    Raises:
        BadAudio: if the wave is shorter than the windows of the set.
    """
    rows = _run(smile, wave)
    if not rows:
        raise BadAudio(
            f"openSMILE has no descriptors of a clip of {len(wave)} samples\n"
            "  wanted: a longer clip"
        )
    frames: NDArray[np.float32] = np.vstack([row.reshape(1, -1) for row in rows])
    return frames


def _run(
    smile: opensmile.Smile, wave: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Run openSMILE's library on a wave, and return its rows of values."""
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
    return rows


IS09 = partial(Functionals, FeatureSet.IS09)
IS10 = partial(Functionals, FeatureSet.IS10)
IS11 = partial(Functionals, FeatureSet.IS11)
IS12 = partial(Functionals, FeatureSet.IS12)
IS13 = partial(Functionals, FeatureSet.IS13)
EGEMAPS = partial(Functionals, FeatureSet.eGeMAPSv02)
COMPARE = partial(Functionals, FeatureSet.ComParE_2016)


def opensmile_files(options: Options) -> list[Path]:
    """Return openSMILE's library and configurations, which determine the functionals.

    So another version of openSMILE has other stored features.
    """
    core = Path(opensmile.__file__).parent / "core"
    return sorted(file for file in core.rglob("*") if file.suffix in _DECIDING)
