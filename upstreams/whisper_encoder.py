"""Whisper's encoder: over audio padded to 30 s, or over the audio alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import dropout, gelu
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from nserbench.upstreams.base import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAME = 320
"""Samples for each encoder frame: a 10 ms hop, halved by the strided convolution."""

LONGEST = 30 * SAMPLE_RATE
"""Longest input in samples: 30 s."""


def frames_of(wave: NDArray[np.float32]) -> int:
    """Return the number of encoder frames that a wave fills, the last one in part."""
    return -(-len(wave) // FRAME)


def padded_states(
    encoder: WhisperEncoder,
    extractor: WhisperFeatureExtractor,
    waves: Sequence[NDArray[np.float32]],
) -> Sequence[Tensor]:
    """Return the states of all layers over audio that is padded to 30 s.

    Returns:
        For each layer, ``(batch, 1500, dim)``.

    Raises:
        ValueError: if a wave is empty or longer than 30 s.
    """
    mel = _mel(extractor, waves, LONGEST, encoder.device)
    states: Sequence[Tensor] = encoder(mel, output_hidden_states=True).hidden_states
    return states


def unpadded_states(
    encoder: WhisperEncoder,
    extractor: WhisperFeatureExtractor,
    wave: NDArray[np.float32],
) -> Sequence[Tensor]:
    """Return the states of all layers over a wave alone.

    The encoder of transformers refuses any other length than 30 s, so its layers are
    called here, in the same order, with the first positions of its table. At 30 s the
    states are the same.

    The wave is filled up with zeros to a whole number of encoder frames. The mel is
    limited to 8 below its maximum over the clip; with padding, over clip and silence,
    which is the same maximum. So only the last mel frame differs from that of the
    padded audio: its window reaches beyond the end, where the wave is mirrored instead
    of silent. (If it is the loudest of the clip, the limit differs, too.) All states
    differ, because no frame attends to silence after the audio.

    Returns:
        For each layer, ``(1, frames, dim)``.

    Raises:
        ValueError: if the wave is empty or longer than 30 s.
    """
    mel = _mel(extractor, [wave], frames_of(wave) * FRAME, encoder.device)
    hidden = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    states = [dropout(hidden, encoder.dropout, encoder.training)]
    for layer in encoder.layers:
        states.append(layer(states[-1], None))
    return [*states[:-1], encoder.layer_norm(states[-1])]


def _mel(
    extractor: WhisperFeatureExtractor,
    waves: Sequence[NDArray[np.float32]],
    samples: int,
    device: torch.device,
) -> Tensor:
    """Return ``(batch, bands, mel frames)`` of waves that are padded to ``samples``.

    Raises:
        ValueError: if a wave is empty or longer than 30 s.
    """
    for wave in waves:
        if not 1 <= len(wave) <= LONGEST:
            raise ValueError(
                f"a wave must have 1 to {LONGEST} samples (30 s), got {len(wave)}"
            )
    mel: Tensor = extractor(
        list(waves),
        sampling_rate=SAMPLE_RATE,
        max_length=samples,
        return_tensors="pt",
        device=str(device),
    ).input_features
    return mel.to(device)
