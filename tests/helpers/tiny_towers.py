"""Writes models that have an audio encoder as a part, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as lib
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.gemma3n import modeling_gemma3n as gemma3n
from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni as omni
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import (
    Qwen2_5OmniConfig,
    Qwen2_5OmniThinkerConfig,
)

WORDS = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""The language model beside the encoder, which is not read."""

SOUND: dict[str, Any] = {"num_mel_bins": 16, "hidden_size": 16, "num_hidden_layers": 3}
SOUND |= {"num_attention_heads": 2, "intermediate_size": 16, "initializer_range": 0.3}
OLD_SOUND: dict[str, Any] = {"num_mel_bins": 16, "d_model": 16, "encoder_layers": 3}
OLD_SOUND |= {"encoder_attention_heads": 2, "encoder_ffn_dim": 16}
OLD_SOUND |= {"initializer_range": 0.3}
SIXTEEN_BANDS = {"feature_size": 16}


@dataclass(frozen=True)
class Tower:
    """A whole model, and how its own code runs its encoder.

    Attributes:
        model: Draws the whole model.
        extractor: Makes its feature extractor.
        encoder: Returns the encoder inside it.
        run: Runs the encoder on what the extractor returns for a wave, as the whole
            model does.
        frames: Returns how many of the encoder's frames are valid, from the masks that
            the extractor returns.
        norm: Normalises the output of the last block, as the encoder does.
        blocks: Name of the encoder's list of blocks.
        layers: Blocks of the encoder.
        rate: Frames per second.
    """

    model: Callable[[], Any]
    extractor: Callable[[], Any]
    encoder: Callable[[Any], Any]
    run: Callable[[Any, Any], Any]
    frames: Callable[[Any], int]
    norm: Callable[[Any, Tensor], Tensor] = lambda encoder, last: last
    blocks: str = "layers"
    layers: int = 3
    rate: float = 50.0


def _qwen2_audio() -> Any:
    return lib.Qwen2AudioForConditionalGeneration(
        lib.Qwen2AudioConfig(
            audio_config=OLD_SOUND | {"model_type": "qwen2_audio_encoder"},
            text_config=WORDS | {"model_type": "qwen2"},
        )
    )


def _voxtral() -> Any:
    return lib.VoxtralForConditionalGeneration(
        lib.VoxtralConfig(
            audio_config=SOUND | {"model_type": "voxtral_encoder"},
            text_config=WORDS | {"model_type": "llama"},
        )
    )


def _flamingo() -> Any:
    return lib.AudioFlamingo3ForConditionalGeneration(
        lib.AudioFlamingo3Config(
            audio_config=SOUND | {"model_type": "audioflamingo3_encoder"},
            text_config=WORDS | {"model_type": "qwen2"},
        )
    )


class _Omni(torch.nn.Module):
    """The thinker of Qwen2.5-Omni under its name in the whole model.

    The whole has a talker and a vocoder, which are too large for a test.
    """

    def __init__(self) -> None:
        super().__init__()
        mrope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
        self.config = Qwen2_5OmniThinkerConfig(
            audio_config=OLD_SOUND | {"n_window": 100, "output_dim": 16},
            vision_config={
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 16,
            },
            text_config=WORDS | {"rope_parameters": mrope},
        )
        self.thinker = omni.Qwen2_5OmniThinkerForConditionalGeneration(self.config)

    def save_pretrained(self, folder: Path) -> None:
        """Write the weights as the whole model names them."""
        Qwen2_5OmniConfig(thinker_config=self.config.to_dict()).save_pretrained(folder)
        self.thinker.save_pretrained(folder / "thinker")
        weights = load_file(folder / "thinker" / "model.safetensors")
        named = {f"thinker.{name}": value for name, value in weights.items()}
        save_file(named, folder / "model.safetensors", {"format": "pt"})


def _granite() -> Any:
    return lib.GraniteSpeechForConditionalGeneration(
        lib.GraniteSpeechConfig(
            encoder_config={
                "model_type": "granite_speech_encoder",
                "input_dim": 160,
                "num_layers": 4,
                "hidden_dim": 16,
                "feedforward_mult": 2,
                "num_heads": 2,
                "dim_head": 8,
                "output_dim": 8,
                "context_size": 20,
                "max_pos_emb": 32,
            },
            text_config=WORDS | {"model_type": "granite"},
            projector_config={
                "model_type": "blip_2_qformer",
                "hidden_size": 16,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "encoder_hidden_size": 16,
            },
            has_lora_adapter=False,
        )
    )


PARAKEET = SOUND | {"subsampling_conv_channels": 8, "conv_kernel_size": 5}


PREDICTOR = {"vocab_size": 20, "blank_token_id": 19, "decoder_hidden_size": 8}


def _parakeet(model: Any) -> Tower:
    return Tower(
        model,
        lambda: lib.ParakeetFeatureExtractor(feature_size=16),
        lambda whole: whole.encoder,
        _all_states,
        lambda inputs: int(inputs["attention_mask"][:, ::8].sum()),
        rate=12.5,
    )


class _Gemma3n(torch.nn.Module):
    """The audio encoder of Gemma 3n under its name in the whole model.

    The whole needs the package timm for its images.
    """

    def __init__(self) -> None:
        super().__init__()
        self.config = lib.Gemma3nConfig(
            audio_config={
                "input_feat_size": 128,
                "hidden_size": 16,
                "conf_num_attention_heads": 2,
                "conf_num_hidden_layers": 3,
                "sscp_conv_channel_size": [8, 4],
            }
        )
        self.audio_tower = gemma3n.Gemma3nAudioEncoder(self.config.audio_config)

    def save_pretrained(self, folder: Path) -> None:
        """Write the weights as the whole model names them."""
        self.config.save_pretrained(folder)
        weights = {
            f"model.{name}": value.contiguous()
            for name, value in self.state_dict().items()
        }
        save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _phi4() -> Any:
    return lib.Phi4MultimodalForCausalLM(
        lib.Phi4MultimodalConfig(
            **{key: value for key, value in WORDS.items() if key != "head_dim"},
            audio_config={
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_blocks": 3,
                "num_attention_heads": 2,
                "ext_pw_out_channel": 16,
                "nemo_conv_channels": 8,
                "depthwise_separable_out_channel": 16,
                "nemo_final_size": 10,
                "initializer_range": 0.3,
            },
            vision_config={
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "crop_size": 28,
                "image_size": 28,
                "feature_layer": -1,
            },
        )
    )


SEAMLESS = {
    "vocab_size": 40,
    "t2u_vocab_size": 40,
    "unit_hifi_gan_vocab_size": 40,
    "hidden_size": 16,
    "speech_encoder_layers": 3,
    "speech_encoder_attention_heads": 2,
    "speech_encoder_intermediate_size": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "initializer_range": 0.3,
    "num_adapter_layers": 1,
}


def _packed(encoder: Any, inputs: Any) -> Any:
    frames = int(inputs["attention_mask"].sum())
    return encoder(
        inputs["input_features"][0, :, :frames],
        feature_lens=torch.tensor([frames]),
        output_hidden_states=True,
    )


def _qwen_mask(encoder: Any, inputs: Any) -> Any:
    """Run with the mask that the whole model makes: no frame attends to padding."""
    mel = inputs["input_features"]
    valid = (int(inputs["attention_mask"].sum()) - 1) // 2 + 1
    padding = torch.arange(mel.shape[-1] // 2) >= valid
    mask = torch.zeros(1, 1, len(padding), len(padding))
    mask[..., padding] = torch.finfo(torch.float32).min
    return encoder(mel, attention_mask=mask, output_hidden_states=True)


def _all_states(encoder: Any, inputs: Mapping[str, Tensor]) -> Any:
    return encoder(**inputs, output_hidden_states=True)


def _audio_tower(model: Any) -> Any:
    return model.model.audio_tower


def _whisper_extractor() -> Any:
    return lib.WhisperFeatureExtractor(feature_size=16)


def _halved(inputs: Any) -> int:
    """Return the frames after one convolution of stride 2, from the mask before it."""
    return int(inputs["attention_mask"][:, ::2].sum())


def _layer_norm(encoder: Any, last: Tensor) -> Tensor:
    normed: Tensor = encoder.layer_norm(last)
    return normed


def _inner_norm(encoder: Any, last: Tensor) -> Tensor:
    return _layer_norm(encoder.encoder, last)


def _whisper_like(model: Any, run: Any, **more: Any) -> Tower:
    return Tower(
        model,
        lambda: lib.WhisperFeatureExtractor(feature_size=16),
        lambda whole: whole.model.audio_tower,
        run,
        _halved,
        **more,
    )


def _seamless(model: Any) -> Tower:
    return Tower(
        model,
        lib.SeamlessM4TFeatureExtractor,
        lambda whole: whole.speech_encoder,
        _all_states,
        lambda inputs: int(inputs["attention_mask"].sum()),
        _inner_norm,
        "encoder.layers",
    )


def _granite_extractor() -> lib.GraniteSpeechFeatureExtractor:
    pytest.importorskip("torchaudio", reason="the features of Granite Speech need it")
    return lib.GraniteSpeechFeatureExtractor()


TOWERS: dict[str, Tower] = {
    "qwen2_audio": _whisper_like(_qwen2_audio, _qwen_mask),
    "qwen2_5_omni": Tower(
        _Omni,
        lambda: lib.WhisperFeatureExtractor(feature_size=16),
        lambda model: model.thinker.model.audio_tower,
        _packed,
        _halved,
    ),
    "voxtral": _whisper_like(
        _voxtral,
        lambda encoder, inputs: encoder(
            inputs["input_features"], output_hidden_states=True
        ),
        norm=_layer_norm,
    ),
    "audioflamingo3": _whisper_like(
        _flamingo,
        lambda encoder, inputs: encoder(
            inputs["input_features"],
            input_features_mask=inputs["attention_mask"],
            output_hidden_states=True,
        ),
    ),
    "granite_speech": Tower(
        _granite,
        _granite_extractor,
        lambda model: model.model.encoder,
        lambda encoder, inputs: encoder(
            inputs["input_features"], output_hidden_states=True
        ),
        lambda inputs: int(inputs["input_features"].shape[1]),
        layers=4,
    ),
    "parakeet_ctc": _parakeet(
        lambda: lib.ParakeetForCTC(
            lib.ParakeetCTCConfig(vocab_size=20, encoder_config=PARAKEET)
        )
    ),
    "parakeet_rnnt": _parakeet(
        lambda: lib.ParakeetForRNNT(
            lib.ParakeetRNNTConfig(encoder_config=PARAKEET, **PREDICTOR)
        )
    ),
    "parakeet_tdt": _parakeet(
        lambda: lib.ParakeetForTDT(
            lib.ParakeetTDTConfig(encoder_config=PARAKEET, **PREDICTOR)
        )
    ),
    "gemma3n": Tower(
        _Gemma3n,
        lib.Gemma3nAudioFeatureExtractor,
        lambda model: model.audio_tower,
        lambda encoder, inputs: encoder(
            inputs["input_features"], ~inputs["input_features_mask"].bool()
        ),
        lambda inputs: int(inputs["input_features_mask"][:, ::4].sum()),
        blocks="conformer",
        rate=25.0,
    ),
    "phi4_multimodal": Tower(
        _phi4,
        lib.Phi4MultimodalFeatureExtractor,
        lambda model: model.model.embed_tokens_extend.audio_embed.encoder,
        lambda encoder, inputs: encoder(inputs["audio_input_features"], None),
        lambda inputs: len(range(0, inputs["audio_input_features"].shape[1], 8)),
        blocks="encoders",
        rate=12.5,
    ),
    "seamless_m4t": _seamless(
        lambda: lib.SeamlessM4TForSpeechToText(lib.SeamlessM4TConfig(**SEAMLESS))
    ),
    "seamless_m4t_v2": _seamless(
        lambda: lib.SeamlessM4Tv2ForSpeechToText(lib.SeamlessM4Tv2Config(**SEAMLESS))
    ),
}
"""Models by their type."""


def library_features(name: str, wave: Any) -> Any:
    """Prepare a wave as the processor of the whole model does."""
    extractor = TOWERS[name].extractor()
    if name == "granite_speech":
        return extractor([wave])
    padded = isinstance(extractor, lib.WhisperFeatureExtractor)
    masked = {"padding": "max_length", "return_attention_mask": True} if padded else {}
    return extractor([wave], sampling_rate=16_000, return_tensors="pt", **masked)


def save_ast(folder: Path) -> Path:
    """Write an audio spectrogram transformer that reads 1.3 s at once."""
    torch.manual_seed(5)
    bands = {"num_mel_bins": 48, "max_length": 128}
    config = lib.ASTConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.3,
        **bands,
    )
    lib.ASTModel(config).save_pretrained(folder)
    lib.ASTFeatureExtractor(**bands).save_pretrained(folder)
    return folder


def save_tower(folder: Path, name: str, **options: Any) -> Any:
    """Write a model of `TOWERS`, and return it.

    Args:
        options: Those of ``save_pretrained``.
    """
    torch.manual_seed(11)
    tower = TOWERS[name]
    model = tower.model()
    model.save_pretrained(folder, **options)
    tower.extractor().save_pretrained(folder)
    return model.eval()
