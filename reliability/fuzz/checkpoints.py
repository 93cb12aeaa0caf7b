"""Checkpoints: their configurations, and their weights in each form."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from fuzz.target import Files, Target
from nserbench.errors import NserbenchError
from nserbench.upstreams.huggingface.config import describe_hf
from nserbench.upstreams.loading.configs import describe_bert, describe_whisper
from nserbench.upstreams.speechlm.config import describe_speechlm

CONFIG = "config.json"
_WHISPER = {
    "model_type": "whisper",
    "encoder_layers": 2,
    "decoder_layers": 2,
    "d_model": 8,
    "max_source_positions": 1500,
}
_WAV2VEC = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_dim": [8, 8, 8, 8, 8, 8, 8],
}
_BERT = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "vocab_size": 20,
    "max_position_embeddings": 16,
    "architectures": ["BertModel"],
}
_JOINED = {
    "model_type": "speech-encoder-decoder",
    "encoder": _WAV2VEC,
    "decoder": {"decoder_layers": 2, "d_model": 24, "model_type": "bart"},
}
_HYPERPARAMS = """\
sample_rate: 16000
n_mels: 80
d_model: 16
layers: 2
compute_features: !new:speechbrain.lobes.features.Fbank
    sample_rate: !ref <sample_rate>
    n_mels: !ref <n_mels>
CNN: !new:speechbrain.lobes.models.convolution.ConvolutionFrontEnd
    input_shape: (8, 10, 80)
    strides: (2, 2)
Transformer: !new:speechbrain.lobes.models.transformer.TransformerASR.TransformerASR
    d_model: !ref <d_model>
    num_encoder_layers: !ref <layers>
    num_decoder_layers: 3
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        asr: !ref <CNN>
        lm: !ref <CNN>
    paths:
        asr: !ref <where>/model.ckpt
where: a/b
anchored: &a [1, 2]
again: {one: *a, two: *a}
"""
_YAML = (
    b"&a ",
    b"*a",
    b"!ref ",
    b"<d_model>",
    b"!new:",
    b"- ",
    b": ",
    b"!!int ",
    b"<<",
)


def _configs() -> list[Files]:
    contents: list[dict[str, Any]] = [_WHISPER, _WAV2VEC, _BERT, _JOINED]
    return [{CONFIG: json.dumps(content).encode()} for content in contents]


def _read_config(folder: Path) -> None:
    """Describe a configuration by each function that takes one."""
    options = {"checkpoint": str(folder), "id": str(folder), "revision": None}
    functions = describe_hf, describe_whisper, describe_bert
    problems: list[NserbenchError] = []
    for describe in functions:
        try:
            describe(options)
        except NserbenchError as error:
            problems.append(error)
    if len(problems) == len(functions):
        raise problems[0]


def _read_hyperparams(folder: Path) -> None:
    from nserbench.upstreams.conformer.config import (
        conformer_weights,
        describe_conformer,
    )

    options = {"checkpoint": str(folder), "revision": None, "search": "greedy"}
    describe_conformer(options)
    conformer_weights(options)


def _speechlm() -> list[Files]:
    transformer = {
        "layers": 2,
        "embed_dim": 8,
        "ffn_embed_dim": 16,
        "attention_heads": 2,
        "normalize_before": False,
        "learned_pos": True,
    }
    model = {
        "use_rel_pos_enc": True,
        "add_unit_encoder": True,
        "activation_fn": "gelu",
        "final_dim": 4,
        "encoder_embed_dim": 8,
        "extractor_mode": "default",
        "conv_feature_layers": "[(4,10,5)] + [(4,3,2)] * 4 + [(4,2,2)] * 2",
        "conv_bias": False,
        "conv_pos": 16,
        "conv_pos_groups": 2,
        "encoder_layers": 2,
        "encoder_ffn_embed_dim": 16,
        "encoder_attention_heads": 2,
        "layer_norm_first": False,
        "text_transformer": {
            "encoder": transformer,
            "activation_fn": "gelu",
            "no_scale_embedding": True,
            "layernorm_embedding": True,
            "no_token_positional_embeddings": False,
            "max_source_positions": 32,
        },
    }
    content = {
        "cfg": {"model": model, "task": {"normalize": False}},
        "model": {"a.weight": torch.ones(2, 3)},
    }
    return [{"speechlm.pt": _saved(content)}]


def _saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _read_speechlm(folder: Path) -> None:
    from nserbench.upstreams.loading.torch_weights import read_torch_weights

    file = folder / "speechlm.pt"
    problem = None
    try:
        describe_speechlm({"checkpoint": str(file)})
    except NserbenchError as error:
        problem = error
    read_torch_weights(file, keep=("cfg", "model"))
    if problem:
        raise problem


def _asteroid() -> list[Files]:
    content = {
        "model_name": "ConvTasNet",
        "model_args": {"n_src": 1, "sample_rate": 16000},
        "state_dict": {"a.weight": torch.ones(2, 3)},
        "scores": {"loss": 0.5},
    }
    return [{"pytorch_model.bin": _saved(content)}]


def _read_asteroid(folder: Path) -> None:
    from nserbench.upstreams.enhancement.asteroid import _read

    _read([folder / "pytorch_model.bin"])


def _asteroid_safe() -> list[Files]:
    config = {"model": "ConvTasNet", "n_src": 1, "sample_rate": 16000}
    weights = save({"a.weight": torch.ones(2, 3), "b": torch.ones(2).half()})
    return [{CONFIG: json.dumps(config).encode(), "model.safetensors": weights}]


def _read_asteroid_safe(folder: Path) -> None:
    from nserbench.upstreams.enhancement.asteroid import _read

    _read([folder / CONFIG, folder / "model.safetensors"])


def _transformers() -> list[Files]:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(**_BERT))
    seeds: list[Files] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save_pretrained(folder)
        config = (folder / CONFIG).read_bytes()
        weights = (folder / "model.safetensors").read_bytes()
        seeds.append({CONFIG: config, "model.safetensors": weights})
    return seeds


def _transformers_pickled() -> list[Files]:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(**_BERT))
    return [
        {
            CONFIG: json.dumps(_BERT).encode(),
            "pytorch_model.bin": _saved(model.state_dict()),
        }
    ]


def _read_transformers(folder: Path) -> None:
    from transformers import AutoModel

    from nserbench.upstreams.loading.transformers import load_pretrained

    load_pretrained(AutoModel, folder)


TARGETS = (
    Target("checkpoints, `config.json`", _configs, _read_config),
    Target(
        "checkpoints, `hyperparams.yaml`",
        lambda: [{"hyperparams.yaml": _HYPERPARAMS.encode()}],
        _read_hyperparams,
        _YAML,
        prepare=lambda folder: (folder / "model.ckpt").touch(),
        share=0.2,
    ),
    Target("checkpoints, SpeechLM `.pt`", _speechlm, _read_speechlm, share=0.5),
    Target("checkpoints, asteroid `.bin`", _asteroid, _read_asteroid, share=0.5),
    Target(
        "checkpoints, asteroid safetensors",
        _asteroid_safe,
        _read_asteroid_safe,
    ),
    Target(
        "checkpoints, transformers safetensors",
        _transformers,
        _read_transformers,
        share=0.02,
    ),
    Target(
        "checkpoints, transformers `.bin`",
        _transformers_pickled,
        _read_transformers,
        share=0.02,
    ),
)
