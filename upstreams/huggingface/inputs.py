"""The input of each family of encoders, made by the checkpoint's feature extractor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import SequenceFeatureExtractor
from transformers.masking_utils import create_bidirectional_mask

from nserbench.upstreams.base import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Waves = Sequence[NDArray[np.float32]]

Config = Any
"""The configuration of an encoder, as transformers has it."""

Inputs = Mapping[str, Tensor]
"""What an encoder is called with."""


def masked(extractor: SequenceFeatureExtractor, waves: Waves, config: Config) -> Inputs:
    """Return waves or spectrograms, with a mask if there is padding."""
    inputs = extractor(
        list(waves),
        sampling_rate=SAMPLE_RATE,
        padding=True,
        return_attention_mask=True,
        return_tensors="pt",
    )
    return {
        key: value
        for key, value in inputs.items()
        if key != "attention_mask" or not value.all()  # any mask makes WavLM warn
    }


def _mel(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> tuple[Tensor, Tensor]:
    """Return Whisper's spectrogram, padded to what the encoder reads, and its mask."""
    inputs = extractor(
        list(waves),
        sampling_rate=SAMPLE_RATE,
        padding="max_length",
        max_length=2 * extractor.hop_length * config.max_source_positions,
        return_attention_mask=True,
        return_tensors="pt",
    )
    return inputs["input_features"], inputs["attention_mask"]


def window(extractor: SequenceFeatureExtractor, waves: Waves, config: Config) -> Inputs:
    """Return a padded spectrogram; the encoder reads padding as silence."""
    return {"input_features": _mel(extractor, waves, config)[0]}


def masked_window(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> Inputs:
    """Return a padded spectrogram and the mask of its frames."""
    mel, mask = _mel(extractor, waves, config)
    return {"input_features": mel, "input_features_mask": mask}


def qwen2_audio(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> Inputs:
    """Return a padded spectrogram, and which frames of the encoder may be attended to.

    The whole model makes this mask, not its encoder.
    """
    mel, mask = _mel(extractor, waves, config)
    halved = mask[:, ::2]
    attended = create_bidirectional_mask(
        config=config,
        inputs_embeds=torch.zeros(*halved.shape, 1),
        attention_mask=halved,
    )
    return {"input_features": mel, "attention_mask": attended}


def packed(extractor: SequenceFeatureExtractor, waves: Waves, config: Config) -> Inputs:
    """Return the spectrogram of one clip without padding, and its length.

    It is cut from a padded one, as the whole model does: the last windows of a clip
    reach into silence.
    """
    (wave,) = waves
    inputs = extractor(
        [wave],
        sampling_rate=SAMPLE_RATE,
        padding="max_length",
        max_length=len(wave) + extractor.n_fft,
        return_attention_mask=True,
        return_tensors="pt",
    )
    lengths = inputs["attention_mask"].sum(-1)
    return {
        "input_features": inputs["input_features"][0, :, : int(lengths[0])],
        "feature_lens": lengths,
    }


def granite(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> Inputs:
    """Return the spectrogram of one clip, two frames joined to one."""
    (wave,) = waves
    return {"hidden_states": extractor([wave])["input_features"]}


def gemma3n(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> Inputs:
    """Return a spectrogram, and which of its frames are padding."""
    inputs = extractor(list(waves), sampling_rate=SAMPLE_RATE, return_tensors="pt")
    padding = ~inputs["input_features_mask"].bool()
    return {"audio_mel": inputs["input_features"], "audio_mel_mask": padding}


def phi4(extractor: SequenceFeatureExtractor, waves: Waves, config: Config) -> Inputs:
    """Return the spectrogram of one clip, without padding."""
    (wave,) = waves
    inputs = extractor([wave], sampling_rate=SAMPLE_RATE, return_tensors="pt")
    return {"hidden_states": inputs["audio_input_features"], "mask": None}


def patches(
    extractor: SequenceFeatureExtractor, waves: Waves, config: Config
) -> Inputs:
    """Return the spectrogram of one clip, padded to what the encoder reads."""
    extractor.max_length = config.max_length
    inputs = extractor(list(waves), sampling_rate=SAMPLE_RATE, return_tensors="pt")
    return {"input_values": inputs["input_values"]}


MAKERS: Mapping[
    str, Callable[[SequenceFeatureExtractor, Waves, Config], Mapping[str, Any]]
] = {
    maker.__name__: maker
    for maker in (
        masked,
        window,
        masked_window,
        qwen2_audio,
        packed,
        granite,
        gemma3n,
        phi4,
        patches,
    )
}
"""How each family gets its input; see `Family.inputs`."""
