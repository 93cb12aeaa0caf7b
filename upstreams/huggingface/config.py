"""The groups of a Hugging Face checkpoint, read from its configuration only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec
from nserbench.plain_data import is_whole
from nserbench.upstreams.base import SAMPLE_RATE, Description, Groups, GroupSpec
from nserbench.upstreams.loading.configs import (
    LARGEST_SIZE,
    MOST_LAYERS,
    of_type,
    size_in,
    whisper_groups,
)
from nserbench.upstreams.loading.hub import checkpoint_files, read_config

ENCODER_LAYERS = ("encoder_layers", "encoder_num_hidden_layers", "num_hidden_layers")
DECODER_LAYERS = ("decoder_layers", "decoder_num_hidden_layers")
NESTED_DECODER_LAYERS = (*DECODER_LAYERS, "num_hidden_layers", "n_layer")
"""Names in the nested configuration of a decoder."""

FRONTS: Mapping[str, Sequence[str]] = {
    "moonshine": ("encoder.conv1", "encoder.conv2", "encoder.conv3"),
    "speech_to_text": ("encoder.conv",),
    "whisper": ("encoder.conv1", "encoder.conv2"),
}
"""Front convolutions of types whose configuration does not list them."""

_MOST_STRIDES, _LARGEST_STRIDE = 100, 1000
_SHOWN = 200  # characters of a list in a message

WIDTH = ("d_model", "hidden_size", "n_embd")


def describe_encoder(model_type: str) -> Callable[[Options], Groups]:
    """Return a function that describes the encoders of one type.

    The input of the first block is layer 0. The function takes ``checkpoint`` and
    ``revision``, and raises `CheckpointMissing` if the configuration is not found, and
    `BadSpec` if it is of another ``model_type``, or lacks a needed key.
    """

    def describe(options: Options) -> Groups:
        checkpoint = options["checkpoint"]
        config = read_config(checkpoint, options["revision"])
        hint = f"\n  an encoder of any type: hf:{checkpoint}"
        with of_type(model_type, config, checkpoint, hint):
            return config_groups(config, checkpoint)

    return describe


def describe_hf(options: Options) -> Description:
    """Return what a checkpoint of transformers has; see `describe_checkpoint`.

    It transcribes if it has a decoder. Fine-tuning does not change its front
    convolutions; one that passes a spectrogram directly to its blocks has none.

    Args:
        options: ``id`` and ``revision``.
    """
    config = read_config(options["id"], options["revision"])
    whisper = config.get("model_type") == "whisper"
    groups = (whisper_groups if whisper else config_groups)(config, options["id"])
    encoder = config["encoder"] if isinstance(config.get("encoder"), dict) else config
    front: Sequence[str] = ("feature_extractor",)
    if "conv_stride" not in encoder:
        front = FRONTS.get(str(encoder.get("model_type")), ())
    return Description(groups, "decoder" in groups, True, front)


def hf_files(options: Options) -> list[Path]:
    """Return the files of ``hf`` that determine the features."""
    return checkpoint_files(as_checkpoint(options))


def as_checkpoint(options: Options) -> Options:
    """Return the options of ``hf`` as those of an upstream with a ``checkpoint``."""
    checkpoint, revision = options["id"], options["revision"]
    return {"checkpoint": checkpoint, "revision": revision, "language": None}


def describe_checkpoint(options: Options) -> Groups:
    """Return the encoder that a configuration describes, and its decoder if any.

    Both share one configuration, or each has a nested one in ``config.json``.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if the configuration is not found.
        BadSpec: if the checkpoint needs code of its own, or the configuration does
            not say how many layers there are, or how wide.
    """
    config = read_config(options["checkpoint"], options["revision"])
    return config_groups(config, options["checkpoint"])


def config_groups(config: Mapping[str, Any], checkpoint: str) -> Groups:
    """Return the groups that a configuration describes; see `describe_checkpoint`."""
    if "auto_map" in config:
        raise BadSpec(
            f"{checkpoint} needs Python code that comes with its weights\n"
            "  such code is never run; wrap the model in a plugin of your own"
        )
    try:
        return _groups(config, checkpoint)
    except ValueError as error:
        if isinstance(error, BadSpec):
            raise
        raise BadSpec(f"config.json of {checkpoint}: {error}") from error


def _groups(config: Mapping[str, Any], checkpoint: str) -> Groups:
    nested = isinstance(config.get("decoder"), dict)
    encoder = config.get("encoder", {}) if nested else config
    if not isinstance(encoder, dict):
        raise ValueError("its encoder has no settings by name")
    groups = {
        "encoder": GroupSpec(
            range(1 + _number(encoder, ENCODER_LAYERS, f"{checkpoint}'s encoder")),
            _number(encoder, WIDTH, f"{checkpoint}'s encoder"),
            _rate(encoder),
        )
    }
    if nested or any(key in config for key in DECODER_LAYERS):
        decoder = config["decoder"] if nested else config
        keys = NESTED_DECODER_LAYERS if nested else DECODER_LAYERS
        groups["decoder"] = GroupSpec(
            range(1 + _number(decoder, keys, f"{checkpoint}'s decoder")),
            _number(decoder, WIDTH, f"{checkpoint}'s decoder"),
            rate=None,
        )
    return groups


def _number(config: Mapping[str, Any], keys: Sequence[str], whose: str) -> int:
    """Return the value of the first of some keys that the configuration has."""
    most = LARGEST_SIZE if keys is WIDTH else MOST_LAYERS
    for key in keys:
        if config.get(key) is not None:
            return size_in(config, key, most)
    raise BadSpec(
        f"config.json does not describe {whose}: it has none of {', '.join(keys)}"
    )


def _rate(config: Mapping[str, Any]) -> float | None:
    """Return the frames per second, from the strides of the convolutions."""
    if "conv_stride" not in config:
        return None
    # SEW averages squeeze_factor frames into one before its first block.
    strides = config["conv_stride"], config.get("squeeze_factor", 1)
    if not isinstance(strides[0], list) or len(strides[0]) > _MOST_STRIDES:
        raise ValueError("conv_stride is no list of strides")
    factors = [*strides[0], strides[1]]
    if not all(is_whole(factor, 1, _LARGEST_STRIDE) for factor in factors):
        raise ValueError(f"the strides of its convolutions are {factors}"[:_SHOWN])
    stride: int = math.prod(factors)
    return SAMPLE_RATE / stride
