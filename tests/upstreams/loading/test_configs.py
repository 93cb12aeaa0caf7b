"""Configurations of checkpoints whose sizes are no sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.huggingface.config import describe_hf
from nserbench.upstreams.loading.configs import describe_bert, describe_whisper

WHISPER = {
    "max_source_positions": 1500,
    "model_type": "whisper",
    "encoder_layers": 2,
    "decoder_layers": 2,
    "d_model": 8,
}
BERT = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 8}
WAV2VEC = {
    "model_type": "wav2vec2",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
}
NO_SIZES = [0, -1, "3", 1.5, True, [], {}, 10**15]


def describe_all(folder: Path, content: object) -> None:
    (folder / "config.json").write_text(json.dumps(content))
    options = {"checkpoint": str(folder), "id": str(folder), "revision": None}
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind == "whisper":
        describe_whisper(options)
    elif kind == "bert":
        describe_bert(options)
    else:
        describe_hf(options)


@pytest.mark.parametrize("value", NO_SIZES)
@pytest.mark.parametrize(
    ("config", "key"),
    [
        (WHISPER, "encoder_layers"),
        (WHISPER, "d_model"),
        (BERT, "num_hidden_layers"),
        (BERT, "hidden_size"),
        (WAV2VEC, "num_hidden_layers"),
        (WAV2VEC, "hidden_size"),
    ],
)
def test_a_size_that_is_none_is_named(
    tmp_path: Path, config: dict[str, Any], key: str, value: object
) -> None:
    with pytest.raises(BadSpec, match=f"config.json .*{key} is "):
        describe_all(tmp_path, {**config, key: value})


@pytest.mark.parametrize("value", [[0, 2], [2, "2"], 5, [[2]], [-1, 2], [2] * 1000, {}])
def test_strides_that_are_none_are_named(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadSpec, match=r"conv_stride is .*no"):
        describe_all(tmp_path, {**WAV2VEC, "conv_stride": value})


@pytest.mark.parametrize("content", [[], 3, None, "x"])
def test_a_configuration_without_settings_is_refused(
    tmp_path: Path, content: object
) -> None:
    with pytest.raises(CheckpointMissing, match="holds no settings of a model"):
        describe_all(tmp_path, content)


@pytest.mark.parametrize("value", [3, [], "x", {"model_type": "wav2vec2"}])
def test_an_encoder_or_decoder_without_settings_is_refused(
    tmp_path: Path, value: object
) -> None:
    kind, decoder = "speech-encoder-decoder", {"d_model": 2}
    content = {"model_type": kind, "encoder": value, "decoder": decoder}

    with pytest.raises(BadSpec, match=r"config\.json"):
        describe_all(tmp_path, content)
