"""The configuration of a SpeechLM checkpoint, read without its weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.paths import is_file, user_path
from nserbench.plain_data import is_whole, whole_number
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.groups import Groups, GroupSpec
from nserbench.upstreams.loading.plain_pickles import read_plain

HOME = "https://github.com/microsoft/SpeechT5/tree/main/SpeechLM"
"""Where the authors list their checkpoints."""

_CONVOLUTION = re.compile(r"\[\((\d+),(\d+),(\d+)\)\](?:\*(\d+))?", re.ASCII)
_MOST = (100_000, 1000, 1000, 100)
"""Largest number of channels, samples of a kernel, of a stride, and of convolutions."""
_LARGEST = 100_000
"""Largest size of a layer, and number of layers; the published ones have up to 4096."""
_SHOWN = 200  # characters of a setting in a message
_COMMON = {"use_rel_pos_enc": True, "add_unit_encoder": True, "activation_fn": "gelu"}
_COMMON_UNIT = {
    "activation_fn": "gelu",
    "no_scale_embedding": True,
    "layernorm_embedding": True,
    "no_token_positional_embeddings": False,
}


@dataclass(frozen=True, slots=True)
class TransformerSizes:
    """The sizes of one of the two transformers.

    Attributes:
        layers: Number of blocks.
        dim: Width.
        feed_forward: Width within a block's feed-forward part.
        heads: Number of attention heads.
        pre_norm: Whether each block normalises the inputs of its parts (Large), not
            the outputs (Base).
    """

    layers: int
    dim: int
    feed_forward: int
    heads: int
    pre_norm: bool


@dataclass(frozen=True, slots=True)
class SpeechLMConfig:
    """What differs among SpeechLM checkpoints and changes their features.

    Attributes:
        convolutions: (channels, kernel, stride) of each, in samples or frames.
        norm_each: Whether each convolution is followed by a layer norm (Large), not
            the first alone by a group norm (Base).
        conv_bias: Whether the convolutions have a bias.
        normalize: Whether a wave is scaled to mean 0 and variance 1.
        position_kernel: Kernel of the positional convolution, in frames.
        position_groups: Groups of the positional convolution.
        positions: Number of position embeddings of the unit transformer, in frames.
        speech: The lower transformer.
        unit: The upper one.
    """

    convolutions: tuple[tuple[int, int, int], ...]
    norm_each: bool
    conv_bias: bool
    normalize: bool
    position_kernel: int
    position_groups: int
    positions: int
    speech: TransformerSizes
    unit: TransformerSizes

    @property
    def rate(self) -> float:
        """Frames per second."""
        return SAMPLE_RATE / math.prod(stride for *_, stride in self.convolutions)


def describe_speechlm(options: Options) -> Groups:
    """Return the groups of a checkpoint: both transformers, with layer 0.

    Args:
        options: ``checkpoint``.

    Raises:
        CheckpointMissing: if it is not there.
        BadSpec: if it is no pre-trained SpeechLM.
    """
    config = read_speechlm_config(checkpoint_file(options))
    return {
        name: GroupSpec(range(sizes.layers + 1), sizes.dim, config.rate)
        for name, sizes in (("speech", config.speech), ("unit", config.unit))
    }


def speechlm_files(options: Options) -> list[Path]:
    """Return the file of a checkpoint, in a list.

    Raises:
        CheckpointMissing: if it is not there.
    """
    return [checkpoint_file(options)]


def checkpoint_file(options: Options) -> Path:
    """Return the file that the option ``checkpoint`` names.

    Raises:
        CheckpointMissing: if there is none.
    """
    file = user_path(options["checkpoint"])
    if not is_file(file):
        raise CheckpointMissing(
            f"there is no SpeechLM checkpoint {file}\n"
            f"  the .pt files of its authors: {HOME}"
        )
    return file


def read_speechlm_config(file: Path) -> SpeechLMConfig:
    """Read the configuration of a ``.pt`` file.

    Neither torch nor the weights are loaded, and nothing that the file names is run.

    Raises:
        CheckpointMissing: if it is no whole file of ``torch.save``.
        BadSpec: if it is no pre-trained SpeechLM, or differs from all published ones.
    """
    config = read_plain(file).get("cfg")
    try:
        return _config(_table(config, "model"), _table(config, "task"))
    except KeyError as error:
        raise BadSpec(
            f"{file} is no pre-trained SpeechLM: it has no {error}\n"
            f"  the .pt files of its authors: {HOME}"
        ) from error
    except ValueError as error:
        raise BadSpec(f"{file} is no known SpeechLM: {error}") from error


def _table(config: object, key: str) -> Mapping[str, Any]:
    """Return a part of a configuration that has values by name."""
    if not isinstance(config, Mapping):
        raise KeyError("cfg")
    if not isinstance(part := config[key], Mapping):
        raise ValueError(f"{key} holds no values by name")
    return part


def _size(config: Mapping[str, Any], key: str) -> int:
    value = config[key]
    if not is_whole(value, 1, _LARGEST):
        raise ValueError(f"{key}={value!r}"[:_SHOWN])
    return int(value)


def _switch(config: Mapping[str, Any], key: str) -> bool:
    value = config[key]
    if not isinstance(value, bool):
        raise ValueError(f"{key}={value!r}"[:_SHOWN])
    return value


def _config(model: Mapping[str, Any], task: Mapping[str, Any]) -> SpeechLMConfig:
    text = _table(model, "text_transformer")
    unit = _table(text, "encoder")
    _expect(model, _COMMON)
    _expect(text, _COMMON_UNIT)
    _expect(unit, {"learned_pos": True})
    if model["final_dim"] == model["encoder_embed_dim"]:
        raise ValueError(f"final_dim={model['final_dim']} equals its width")
    if model["extractor_mode"] not in ("default", "layer_norm"):
        raise ValueError(f"extractor_mode={model['extractor_mode']}")
    return SpeechLMConfig(
        convolutions=_convolutions(model["conv_feature_layers"]),
        norm_each=model["extractor_mode"] == "layer_norm",
        conv_bias=_switch(model, "conv_bias"),
        normalize=_switch(task, "normalize"),
        position_kernel=_size(model, "conv_pos"),
        position_groups=_size(model, "conv_pos_groups"),
        positions=_size(text, "max_source_positions"),
        speech=TransformerSizes(
            layers=_size(model, "encoder_layers"),
            dim=_size(model, "encoder_embed_dim"),
            feed_forward=_size(model, "encoder_ffn_embed_dim"),
            heads=_size(model, "encoder_attention_heads"),
            pre_norm=_switch(model, "layer_norm_first"),
        ),
        unit=TransformerSizes(
            layers=_size(unit, "layers"),
            dim=_size(unit, "embed_dim"),
            feed_forward=_size(unit, "ffn_embed_dim"),
            heads=_size(unit, "attention_heads"),
            pre_norm=_switch(unit, "normalize_before"),
        ),
    )


def _expect(config: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        if config[key] != value:
            raise ValueError(
                f"{key}={config[key]!r:.80}, but all published ones have {value}"
            )


def _convolutions(text: object) -> tuple[tuple[int, int, int], ...]:
    """Parse fairseq's Python expression: ``[(512,10,5)] + [(512,3,2)] * 4``."""
    if not isinstance(text, str):
        raise ValueError(f"conv_feature_layers={text!r}"[:_SHOWN])
    layers: list[tuple[int, int, int]] = []
    for piece in re.sub(r"\s", "", text).split("+"):
        match = _CONVOLUTION.fullmatch(piece)
        if match is None:
            raise ValueError(f"conv_feature_layers={text}"[:_SHOWN])
        channels, kernel, stride, times = (
            whole_number(size, 1, most)
            for size, most in zip(match.groups(default="1"), _MOST, strict=True)
        )
        layers += [(channels, kernel, stride)] * times
    return tuple(layers)
