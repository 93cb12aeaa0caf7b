"""The groups of a Hugging Face checkpoint, read from its configuration only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec
from nserbench.upstreams.base import SAMPLE_RATE, Groups, GroupSpec
from nserbench.upstreams.loading.configs import describe_whisper, typed_config
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

WIDTH = ("d_model", "hidden_size", "n_embd")


def describe_wav2vec2(options: Options) -> Groups:
    """Return the encoder of a wav2vec 2.0 checkpoint; see `describe_encoder`."""
    return describe_encoder("wav2vec2", options)


def describe_hubert(options: Options) -> Groups:
    """Return the encoder of a HuBERT checkpoint; see `describe_encoder`."""
    return describe_encoder("hubert", options)


def describe_wavlm(options: Options) -> Groups:
    """Return the encoder of a WavLM checkpoint; see `describe_encoder`."""
    return describe_encoder("wavlm", options)


def describe_encoder(model_type: str, options: Options) -> Groups:
    """Return the group of an encoder, with the input of its first block as layer 0.

    Args:
        model_type: Required ``model_type`` of its configuration.
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if its configuration is not found.
        BadSpec: if it is of another type, or lacks a needed key.
    """
    hint = f"\n  an encoder of any type: hf:{options['checkpoint']}"
    with typed_config(options, model_type, model_type, hint):
        return describe_checkpoint(options)


def describe_hf(options: Options) -> Groups:
    """Return the groups of any checkpoint of transformers; see `describe_checkpoint`.

    Args:
        options: ``id`` and ``revision``.
    """
    config = read_config(options["id"], options["revision"])
    whisper = config.get("model_type") == "whisper"
    describe = describe_whisper if whisper else describe_checkpoint
    return describe(as_checkpoint(options))


def hf_transcribes(options: Options) -> bool:
    """Return whether a checkpoint of transformers has a decoder; see `describe_hf`."""
    return "decoder" in describe_hf(options)


def hf_front(options: Options) -> Sequence[str]:
    """Return the names of the front convolutions, which fine-tuning does not change.

    Empty if a checkpoint passes a spectrogram directly to its blocks.
    """
    config = read_config(options["id"], options["revision"])
    encoder = config["encoder"] if isinstance(config.get("encoder"), dict) else config
    if "conv_stride" in encoder:
        return ("feature_extractor",)
    return FRONTS.get(str(encoder.get("model_type")), ())


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
    checkpoint = options["checkpoint"]
    config = read_config(checkpoint, options["revision"])
    if "auto_map" in config:
        raise BadSpec(
            f"{checkpoint} needs Python code that comes with its weights\n"
            "  such code is never run; wrap the model in a plugin of your own"
        )
    nested = isinstance(config.get("decoder"), dict)
    encoder = config.get("encoder", {}) if nested else config
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
    for key in keys:
        if isinstance(config.get(key), int):
            return int(config[key])
    raise BadSpec(
        f"config.json does not describe {whose}: it has none of {', '.join(keys)}"
    )


def _rate(config: Mapping[str, Any]) -> float | None:
    """Return the frames per second, from the strides of the convolutions."""
    if "conv_stride" not in config:
        return None
    # SEW averages squeeze_factor frames into one before its first block.
    stride: int = math.prod(config["conv_stride"]) * config.get("squeeze_factor", 1)
    return SAMPLE_RATE / stride
