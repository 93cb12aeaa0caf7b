"""Writes random weights in the formats of S3PRL's families.

S3PRL is imported only here and there: where it is not installed, other helpers are
still of use.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

SMALL = {
    "encoder_layers": 3,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_feature_layers": "[(16,10,5)] + [(16,3,2)]*4 + [(16,2,2)]*2",
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "final_dim": 16,
}


def save_s3prl(folder: Path, name: str) -> Path:
    """Write what the upstream of a name takes as its checkpoint, a file or a folder."""
    torch.manual_seed(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what s3prl uses of torch
        SAVE[name](folder / name)
    return folder / name


def _wav2vec2(file: Path) -> None:
    family = _family("wav2vec2.wav2vec2_model")
    config = family.Wav2Vec2Config(**SMALL)
    saved = {
        "task_cfg": _plain(family.AudioPretrainingConfig(normalize=True)),
        "model_cfg": _plain(config),
        "model_weight": family.Wav2Vec2Model(config).state_dict(),
    }
    torch.save(saved, file)


def _hubert(file: Path) -> None:
    family = _family("hubert.hubert_model")
    config = family.HubertConfig(label_rate=50.0, **SMALL)
    task = family.HubertPretrainingConfig()
    units = [[str(unit) for unit in range(20)]]
    saved = {
        "task_cfg": _plain(task),
        "model_cfg": _plain(config),
        "model_weight": family.HubertModel(config, task, units).state_dict(),
        "dictionaries_symbols": units,
    }
    torch.save(saved, file)


def _wavlm(file: Path) -> None:
    family = _family("wavlm.WavLM")
    config = family.WavLMConfig(
        {
            **SMALL,
            "relative_position_embedding": True,
            "num_buckets": 32,
            "max_distance": 80,
            "gru_rel_pos": True,
        }
    )
    torch.save({"cfg": vars(config), "model": family.WavLM(config).state_dict()}, file)


def _apc(file: Path) -> None:
    size = {"num_layers": 3, "hidden_size": 32, "dropout": 0.1, "residual": True}
    audio = {"feat_type": "fbank", "feat_dim": 80, "frame_length": 25}
    config: dict[str, Any] = {
        "data": {"audio": {**audio, "frame_shift": 10, "cmvn": True}},
        "model": {"paras": {**size, "vq": None}},
    }
    weights = _family("apc.apc").APC(80, **config["model"]["paras"]).state_dict()
    torch.save({"config": config, "model": weights}, file)


def _decoar(file: Path) -> None:
    """Write the one size there is, of 270 MB."""
    torch.save({"model": _family("decoar.decoar").Decoar().state_dict()}, file)


def _prenorm(folder: Path) -> None:
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        layerdrop=0.9,
        apply_spec_augment=False,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


SAVE: dict[str, Callable[[Path], None]] = {
    "wav2vec2_local": _wav2vec2,
    "hubert_local": _hubert,
    "wavlm_local": _wavlm,
    "apc_local": _apc,
    "decoar_local": _decoar,
    "hf_wav2vec2_custom": _prenorm,
}


def _family(module: str) -> Any:
    return importlib.import_module(f"s3prl.upstream.{module}")


def _plain(config: Any) -> dict[str, Any]:
    """Turn a configuration into what is saved without pickling a class."""
    values = dataclasses.asdict(config).items()
    return {k: v.value if isinstance(v, enum.Enum) else v for k, v in values}
