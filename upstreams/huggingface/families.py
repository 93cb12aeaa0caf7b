"""What ``hf`` reads: families of audio encoders, and where checkpoints hold them.

A family says all that differs between encoders, as data: which keys of the
configuration count its layers, how its input is made, how many frames a clip has, and
which module has its blocks. A place says where in a checkpoint of some type the encoder
is. A model of a type that is in neither table is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nserbench.upstreams.huggingface import frames
from nserbench.upstreams.huggingface.frames import HOP, Config, Pieces

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How encoders of one kind are described, loaded and run.

    Attributes:
        stride: Samples from one frame to the next.
        frames: Frames of a clip that are not padding, from its samples.
        layers: Key of the number of blocks.
        width: Key of the width of its hidden states.
        blocks: Module with the list of blocks.
        norm: Module that normalises the output of the last block; empty if none does.
        inputs: Name of the function in `inputs` that makes its input.
        tower: ``module:class`` inside ``transformers.models``; empty if ``AutoModel``
            finds it by its configuration.
        front: Modules before the blocks that fine-tuning does not change.
        pieces: How a clip is cut that is longer than it reads at once; None if it has
            no limit.
        takes_batches: Whether it may read clips of different lengths at once: padding
            does not change their frames.
        thread_safe: Whether several threads may run it at once: running it changes
            nothing of it. (wav2vec2-conformer keeps the positions of the last clip.)
        over_time: Makes frames of the positions of one clip, where they are not the
            same: ``(layers, positions, dim)`` to ``(layers, frames, dim)``.
    """

    stride: Callable[[Config], int]
    frames: Callable[[Config, int], int]
    layers: str = "num_hidden_layers"
    width: str = "hidden_size"
    blocks: str = "encoder.layers"
    norm: str = ""
    inputs: str = "masked"
    tower: str = ""
    front: Sequence[str] = ()
    pieces: Callable[[Config], Pieces] | None = None
    takes_batches: Callable[[Config], bool] = lambda config: False
    thread_safe: bool = False
    over_time: Callable[[Config, Tensor], Tensor] = lambda config, states: states


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the encoder is in a checkpoint.

    Attributes:
        path: Keys from ``config.json`` to the configuration of the encoder.
        family: Type of the encoder; empty if its configuration says it.
        weights: Prefixes that the encoder's weights may have. Only they are read. Empty
            if the whole model is loaded.
        decoder: Keys to the configuration of the decoder, which transcribes; None if
            there is none, or if it is not read.
    """

    path: tuple[str, ...] = ()
    family: str = ""
    weights: tuple[str, ...] = ()
    decoder: tuple[str, ...] | None = None


def _layer_norm(config: Config) -> bool:
    # Group norm is over time, and so over padding. Batch-normed positions turn the
    # zeros of padding into other values, which a convolution spreads.
    return config["feat_extract_norm"] == "layer" and not config.get(
        "conv_pos_batch_norm", False
    )


def _patches_over_time(config: Config, states: Tensor) -> Tensor:
    # Two special tokens are first, then the patches, those of the lowest band first.
    by_band: Tensor = states[:, 2:].unflatten(1, (-1, frames.patch_columns(config)))
    return by_band.mean(1)


CONVOLVED = Family(
    stride=lambda config: math.prod(frames.sizes(config, "conv_stride")),
    frames=frames.convolved,
    norm="encoder.layer_norm",
    front=("feature_extractor",),
)
PURE = replace(CONVOLVED, thread_safe=True)
SQUEEZED = replace(
    CONVOLVED,
    stride=lambda config: (
        math.prod(frames.sizes(config, "conv_stride")) * int(config["squeeze_factor"])
    ),
    frames=frames.squeezed,
)
FBANK_PAIRS = Family(stride=lambda config: 2 * HOP, frames=frames.paired)
LIKE_WHISPER = Family(
    stride=lambda config: 2 * HOP,
    frames=frames.halved,
    layers="num_hidden_layers",
    blocks="layers",
    norm="layer_norm",
    front=("conv1", "conv2"),
    pieces=frames.thirty_seconds,
)
QWEN = replace(LIKE_WHISPER, layers="encoder_layers", width="d_model")

FAMILIES: Mapping[str, Family] = {
    "audio-spectrogram-transformer": Family(
        stride=lambda config: HOP * int(config["time_stride"]),
        frames=frames.patches,
        blocks="layers",
        norm="layernorm",
        inputs="patches",
        front=("embeddings.patch_embeddings",),
        pieces=frames.patches_pieces,
        over_time=_patches_over_time,
    ),
    "audioflamingo3_encoder": replace(
        LIKE_WHISPER,
        inputs="masked_window",
        tower="audioflamingo3.modeling_audioflamingo3:AudioFlamingo3Encoder",
    ),
    "data2vec-audio": PURE,
    "gemma3n_audio": Family(
        stride=lambda config: HOP * frames.gemma3n_factor(config),
        frames=frames.gemma3n,
        layers="conf_num_hidden_layers",
        blocks="conformer",
        inputs="gemma3n",
        tower="gemma3n.modeling_gemma3n:Gemma3nAudioEncoder",
        front=("subsample_conv_projection",),
    ),
    "granite_speech_encoder": Family(
        stride=lambda config: 2 * HOP,
        frames=frames.granite,
        layers="num_layers",
        width="hidden_dim",
        blocks="layers",
        inputs="granite",
        tower="granite_speech.modeling_granite_speech:GraniteSpeechCTCEncoder",
    ),
    "hubert": replace(PURE, takes_batches=_layer_norm),
    "moonshine": Family(
        stride=lambda config: 384,
        frames=frames.moonshine,
        layers="encoder_num_hidden_layers",
        blocks="layers",
        norm="layer_norm",
        front=("encoder.conv1", "encoder.conv2", "encoder.conv3"),
    ),
    "parakeet_encoder": Family(
        stride=lambda config: HOP * int(config["subsampling_factor"]),
        frames=frames.parakeet,
        blocks="layers",
        tower="parakeet.modeling_parakeet:ParakeetEncoder",
        front=("subsampling",),
    ),
    "phi4_multimodal_audio": Family(
        stride=lambda config: HOP * int(config["time_reduction"]),
        frames=frames.phi4,
        layers="num_blocks",
        blocks="encoders",
        inputs="phi4",
        tower="phi4_multimodal.modeling_phi4_multimodal:Phi4MultimodalAudioModel",
        front=("embed.conv",),
    ),
    "qwen2_5_omni_audio_encoder": replace(
        QWEN,
        norm="",
        inputs="packed",
        pieces=None,
        tower="qwen2_5_omni.modeling_qwen2_5_omni:Qwen2_5OmniAudioEncoder",
    ),
    "qwen2_audio_encoder": replace(
        QWEN,
        inputs="qwen2_audio",
        tower="qwen2_audio.modeling_qwen2_audio:Qwen2AudioEncoder",
    ),
    "seamless_m4t": replace(
        FBANK_PAIRS,
        layers="speech_encoder_layers",
        norm="encoder.layer_norm",
        tower="seamless_m4t.modeling_seamless_m4t:SeamlessM4TSpeechEncoder",
    ),
    "seamless_m4t_v2": replace(
        FBANK_PAIRS,
        layers="speech_encoder_layers",
        norm="encoder.layer_norm",
        tower="seamless_m4t_v2.modeling_seamless_m4t_v2:SeamlessM4Tv2SpeechEncoder",
    ),
    "sew": SQUEEZED,
    "sew-d": replace(SQUEEZED, blocks="encoder.encoder.layer", norm=""),
    "speech_to_text": Family(
        stride=lambda config: HOP * 2 ** int(config["num_conv_layers"]),
        frames=frames.speech_to_text,
        layers="encoder_layers",
        width="d_model",
        blocks="layers",
        norm="layer_norm",
        front=("encoder.conv",),
    ),
    "speecht5": replace(
        CONVOLVED,
        layers="encoder_layers",
        blocks="wrapped_encoder.layers",
        norm="",
        front=("prenet.feature_encoder",),
    ),
    "unispeech": PURE,
    "unispeech-sat": PURE,
    "voxtral_encoder": replace(
        LIKE_WHISPER,
        inputs="window",
        tower="voxtral.modeling_voxtral:VoxtralEncoder",
    ),
    "wav2vec2": replace(PURE, takes_batches=_layer_norm),
    "wav2vec2-bert": FBANK_PAIRS,
    "wav2vec2-conformer": CONVOLVED,
    # Not read in batches: it masks padding in a way that torch deprecates.
    "wavlm": PURE,
}
"""Families by the ``model_type`` of the encoder's configuration."""

_AUDIO_TOWER = ("audio_tower.", "model.audio_tower.")
_PARAKEET = Place(
    path=("encoder_config",), family="parakeet_encoder", weights=("encoder.",)
)
_GRANITE = Place(
    path=("encoder_config",),
    family="granite_speech_encoder",
    weights=("encoder.", "model.encoder."),
)

PLACES: Mapping[str, Place] = {
    "audioflamingo3": Place(
        path=("audio_config",), family="audioflamingo3_encoder", weights=_AUDIO_TOWER
    ),
    "gemma3n": Place(
        path=("audio_config",), family="gemma3n_audio", weights=_AUDIO_TOWER
    ),
    "granite_speech": _GRANITE,
    "moonshine": Place(family="moonshine", decoder=()),
    "parakeet_ctc": _PARAKEET,
    "parakeet_rnnt": _PARAKEET,
    "parakeet_tdt": _PARAKEET,
    "phi4_multimodal": Place(
        path=("audio_config",),
        family="phi4_multimodal_audio",
        weights=("model.embed_tokens_extend.audio_embed.encoder.",),
    ),
    "qwen2_5_omni": Place(
        path=("thinker_config", "audio_config"),
        family="qwen2_5_omni_audio_encoder",
        weights=("thinker.audio_tower.", "thinker.model.audio_tower."),
    ),
    "qwen2_audio": Place(
        path=("audio_config",), family="qwen2_audio_encoder", weights=_AUDIO_TOWER
    ),
    "seamless_m4t": Place(family="seamless_m4t", weights=("speech_encoder.",)),
    "seamless_m4t_v2": Place(family="seamless_m4t_v2", weights=("speech_encoder.",)),
    "speech-encoder-decoder": Place(path=("encoder",), decoder=("decoder",)),
    "speech_to_text": Place(family="speech_to_text", decoder=()),
    "speecht5": Place(family="speecht5", decoder=()),
    "voxtral": Place(
        path=("audio_config",), family="voxtral_encoder", weights=_AUDIO_TOWER
    ),
}
"""Places by the ``model_type`` of ``config.json``; other types are encoders alone."""

REFUSED: Mapping[str, str] = {
    "clap": "its layers differ in width, and fold time into frequency",
    "clap_audio_model": "its layers differ in width, and fold time into frequency",
}
"""Types that have no layers of one width over time, and why."""
