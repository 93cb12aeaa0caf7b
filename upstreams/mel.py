"""The log-mel spectrogram."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nserbench.cards import Options
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)
from nserbench.upstreams.loading.configs import MEL_BANDS

WINDOW = 400
"""Samples: 25 ms."""

HOP = 160
"""Samples: 10 ms."""

FLOOR = 1e-10
"""The lowest power of a band, as in Whisper's spectrogram."""


class Mel(Upstream):
    """Natural logarithm of the power in 80 mel bands from 0 to 8 kHz.

    The paper says only Mel-spectrogram (Sec. IV-C, Table II). We take Slaney's bands,
    as Whisper does, with a Hann window; power below `FLOOR` is raised to it. Every
    frame lies inside the audio: ``n`` samples have ``1 + (n - 400) // 160`` frames.
    """

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        self.bands = slaney_bands().to(device)
        self.window = torch.hann_window(WINDOW, device=device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the spectrogram as layer 1 of the group ``mel``.

        Raises:
            ValueError: if a wave is shorter than one window.
        """
        samples = [len(wave) for wave in batch.waves]
        if min(samples) < WINDOW:
            raise ValueError(
                f"a wave must have at least {WINDOW} samples, got {min(samples)}"
            )
        lengths = torch.tensor([1 + (length - WINDOW) // HOP for length in samples])
        waves = pad_sequence(
            [torch.as_tensor(wave, device=self.device) for wave in batch.waves],
            batch_first=True,
        )
        return {"mel": LayerGroup(self._log_mel(waves)[None], lengths.to(self.device))}

    def _log_mel(self, waves: Tensor) -> Tensor:
        """Turn ``(batch, samples)`` into ``(batch, frames, bands)``."""
        spectrum = torch.stft(
            waves,
            WINDOW,
            HOP,
            window=self.window,
            center=False,
            return_complex=True,
        )
        power = spectrum.abs().square().transpose(1, 2)
        return (power @ self.bands).clamp(min=FLOOR).log()


def slaney_bands() -> Tensor:
    """Return the weight of each frequency in each band, ``(201, 80)``.

    The bands of M. Slaney's Auditory Toolbox (1998): their edges are linear up to 1 kHz
    and logarithmic above, and every band has the same area. `transformers` has them,
    too, but its import takes a second.
    """
    break_hz, break_mel = 1000.0, 15.0
    step = np.log(6.4) / 27  # above the break, 27 mel multiply a frequency by 6.4
    highest = break_mel + np.log(SAMPLE_RATE / 2 / break_hz) / step
    mel = np.linspace(0.0, highest, MEL_BANDS + 2)
    linear, curved = 200 / 3 * mel, break_hz * np.exp(step * (mel - break_mel))
    edges = np.where(mel < break_mel, linear, curved)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    bands = np.minimum(rising, falling).clip(min=0.0) * 2 / (high - low)
    return torch.from_numpy(bands).float()
