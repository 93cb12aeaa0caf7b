"""Writes speech encoders of Hugging Face, alone and with a decoder, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as lib
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.3,
    "layerdrop": 0.9,
}
CONVOLVED = SIZE | {
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.5,
    "mask_feature_prob": 0.5,
}
LARGE = CONVOLVED | {
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
SQUEEZED = CONVOLVED | {"conv_dim": (8,) * 13}
DECODER = {
    "vocab_size": 40,
    "d_model": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "init_std": 0.3,
}
ENCODERS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "wav2vec2": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, CONVOLVED),
    "hubert": (lib.HubertModel, lib.HubertConfig, CONVOLVED),
    "wavlm": (lib.WavLMModel, lib.WavLMConfig, CONVOLVED),
    "wav2vec2-large": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, LARGE),
    "hubert-large": (lib.HubertModel, lib.HubertConfig, LARGE),
    "wavlm-large": (lib.WavLMModel, lib.WavLMConfig, LARGE),
    "adapted": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, LARGE | {"add_adapter": True}),
    "conformer": (lib.Wav2Vec2ConformerModel, lib.Wav2Vec2ConformerConfig, CONVOLVED),
    "data2vec-audio": (lib.Data2VecAudioModel, lib.Data2VecAudioConfig, CONVOLVED),
    "mms": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, LARGE | {"adapter_attn_dim": 4}),
    "hubert-batch-norm": (
        lib.HubertModel,
        lib.HubertConfig,
        LARGE | {"conv_pos_batch_norm": True},
    ),
    "unispeech": (lib.UniSpeechModel, lib.UniSpeechConfig, CONVOLVED),
    "unispeech-sat": (lib.UniSpeechSatModel, lib.UniSpeechSatConfig, CONVOLVED),
    "sew": (lib.SEWModel, lib.SEWConfig, SQUEEZED),
    "sew-d": (lib.SEWDModel, lib.SEWDConfig, SQUEEZED),
    "wav2vec2-bert": (lib.Wav2Vec2BertModel, lib.Wav2Vec2BertConfig, SIZE),
}
PRENORM = (
    "wav2vec2-large",
    "hubert-large",
    "hubert-batch-norm",
    "wavlm-large",
    "adapted",
    "mms",
    "conformer",
)
"""Checkpoints whose last state is normalised after the last block."""

PADDED = ("wav2vec2-large", "hubert-large", "adapted", "mms")
"""Checkpoints that read a mask, and so a batch of waves of different lengths."""


def _bert() -> Any:
    config = lib.BertConfig(
        vocab_size=40, is_decoder=True, add_cross_attention=True, **SIZE
    )
    config.hidden_size = 24
    return lib.BertLMHeadModel(config)


def _gpt2() -> Any:
    return lib.GPT2LMHeadModel(
        lib.GPT2Config(
            vocab_size=40,
            n_embd=24,
            n_layer=2,
            n_head=2,
            initializer_range=0.3,
            add_cross_attention=True,
        )
    )


def _mbart() -> Any:
    # Its encoder is not used, but its layers are what generate counts.
    return lib.MBartForCausalLM(
        lib.MBartConfig(is_decoder=True, encoder_layers=1, **DECODER)
    )


def _joined(encoder: str, decoder: Any) -> Any:
    kind, config, size = ENCODERS[encoder]
    return lib.SpeechEncoderDecoderModel(encoder=kind(config(**size)), decoder=decoder)


def _speech_to_text() -> Any:
    config = lib.Speech2TextConfig(
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        conv_channels=16,
        encoder_layerdrop=0.9,
        decoder_layerdrop=0.9,
        **DECODER,
    )
    return lib.Speech2TextForConditionalGeneration(config)


def _speecht5() -> Any:
    config = lib.SpeechT5Config(
        vocab_size=40,
        hidden_size=16,
        encoder_layers=3,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.3,
        encoder_layerdrop=0.9,
        decoder_layerdrop=0.9,
        mask_time_prob=0.5,
    )
    return lib.SpeechT5ForSpeechToText(config)


def _moonshine() -> Any:
    config = lib.MoonshineConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=3,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        initializer_range=0.3,
    )
    return lib.MoonshineForConditionalGeneration(config)


WRITERS: dict[str, Callable[[], Any]] = {
    "wav2vec2+bert": lambda: _joined("wav2vec2", _bert()),
    "hubert+gpt2": lambda: _joined("hubert", _gpt2()),
    "wav2vec2-bert+gpt2": lambda: _joined("wav2vec2-bert", _gpt2()),
    "adapted+mbart": lambda: _joined("adapted", _mbart()),
    "speech_to_text": _speech_to_text,
    "speecht5": _speecht5,
    "moonshine": _moonshine,
}
EVERY = (*ENCODERS, *WRITERS)
DEEP = {"wav2vec2-deep": CONVOLVED | {"num_hidden_layers": 12}}
"""As many blocks as the published ones, for what names a layer by its number."""


def extractor_of(name: str) -> Any:
    """Return the feature extractor of a checkpoint."""
    if name == "speech_to_text":
        return lib.Speech2TextFeatureExtractor()
    if name.startswith("wav2vec2-bert"):
        return lib.SeamlessM4TFeatureExtractor()
    if name == "speecht5":
        return lib.SpeechT5FeatureExtractor()
    return lib.Wav2Vec2FeatureExtractor(return_attention_mask=name in PADDED)


def save_tokenizer(folder: Path, tokens: int = 40) -> None:
    """Write a tokenizer of the words w3, w4, ... behind <pad>, <s> and </s>."""
    words = {"<pad>": 0, "<s>": 1, "</s>": 2}
    words |= {f"w{at}": at for at in range(3, tokens)}
    model = lib.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<pad>")),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<pad>",
    )
    model.save_pretrained(folder)


def draw_batch_norms(model: Any) -> None:
    """Draw the statistics of batch norms, which begin as 0 and 1."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            for values in (*module.parameters(), module.get_buffer("running_mean")):
                torch.nn.init.normal_(values)


def save_hf(folder: Path, name: str) -> Path:
    """Write a checkpoint of `ENCODERS`, `DEEP` or `WRITERS`."""
    torch.manual_seed(7)
    if name in DEEP:
        model = lib.Wav2Vec2Model(lib.Wav2Vec2Config(**DEEP[name]))
    elif name in ENCODERS:
        kind, config, size = ENCODERS[name]
        model = kind(config(**size))
        draw_batch_norms(model)
    else:
        model = WRITERS[name]()
        model.generation_config = lib.GenerationConfig(
            decoder_start_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            suppress_tokens=[0, 1, *range(8, 40)],  # five words are left
        )
        save_tokenizer(folder)
    model.save_pretrained(folder)
    extractor_of(name).save_pretrained(folder)
    return folder
