"""The layer groups of the built-in upstreams, read from configurations only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec, MissingExtra
from nserbench.plain_data import is_whole, shortened
from nserbench.upstreams.groups import Description, Groups, GroupSpec
from nserbench.upstreams.loading.hub import read_config

MEL_BANDS = 80
MOST_LAYERS, LARGEST_SIZE = 10_000, 1_000_000
"""Bounds of what a configuration may say; both are far beyond any published model."""
WHISPER_POSITIONS = 1500
"""Encoder frames of 30 s, which a Whisper reads at once."""

CALLED = {"bert": "BERT", "whisper": "Whisper"}
"""Names in messages by ``model_type``, where they differ."""


def describe_mel(options: Options) -> Groups:
    """Return the group of the log-mel spectrogram: one layer, 100 frames per second."""
    return {"mel": GroupSpec(layers=range(1, 2), dim=MEL_BANDS, rate=100.0)}


def describe_whisper(options: Options) -> Groups:
    """Return the groups of a Whisper checkpoint: encoder and decoder, with layer 0.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if its configuration is not found.
        BadSpec: if it is not the configuration of a Whisper.
    """
    config = read_config(options["checkpoint"], options["revision"])
    return whisper_groups(config, options["checkpoint"])


def whisper_groups(config: Mapping[str, Any], checkpoint: str) -> Groups:
    """Return the groups of a Whisper from its configuration; see `describe_whisper`."""
    with of_type("whisper", config, checkpoint):
        if (positions := config["max_source_positions"]) != WHISPER_POSITIONS:
            raise BadSpec(
                f"{checkpoint} is no Whisper that reads 30 s at once: its config.json "
                f"says max_source_positions {positions}\n"
                f"  wanted: a Whisper with {WHISPER_POSITIONS}"
            )
        return {
            "encoder": GroupSpec(
                layers_in(config, "encoder_layers"), size_in(config, "d_model"), 50.0
            ),
            "decoder": GroupSpec(
                layers_in(config, "decoder_layers"), size_in(config, "d_model"), None
            ),
        }


def describe_bert(options: Options) -> Groups:
    """Return the group of a BERT checkpoint, with its embeddings as layer 0.

    Args and errors are as for `describe_whisper`.
    """
    config = read_config(options["checkpoint"], options["revision"])
    with of_type("bert", config, options["checkpoint"]):
        layers = layers_in(config, "num_hidden_layers")
        return {"text": GroupSpec(layers, size_in(config, "hidden_size"), rate=None)}


def layers_in(config: Mapping[str, Any], key: str) -> range:
    """Return layer 0 and as many as a configuration says.

    Raises:
        KeyError: if it does not say so.
        ValueError: if it says something else than a number of layers.
    """
    return range(size_in(config, key, MOST_LAYERS) + 1)


def size_in(config: Mapping[str, Any], key: str, most: int = LARGEST_SIZE) -> int:
    """Return a size from a configuration.

    Raises:
        KeyError: if it is not there.
        ValueError: if it is no whole number from 1 to ``most``.
    """
    value = config[key]
    if not is_whole(value, 1, most):
        raise ValueError(
            f"{key} is {shortened(str(value))}, not a whole number from 1 to {most}"
        )
    return int(value)


@contextmanager
def of_type(
    model_type: str, config: Mapping[str, Any], checkpoint: str, hint: str = ""
) -> Iterator[Mapping[str, Any]]:
    """Check the type of a configuration; in the block, refuse one that lacks a key.

    Args:
        model_type: Required ``model_type``.
        config: Content of ``config.json``.
        hint: What to do if it is of another type.

    Raises:
        BadSpec: if it is of another type, or lacks a key, or a size is none.
    """
    if config.get("model_type") != model_type:
        raise BadSpec(
            f"{checkpoint} is no {CALLED.get(model_type, model_type)}: "
            f"its config.json says model_type {config.get('model_type')!r}{hint}"
        )
    try:
        yield config
    except KeyError as error:
        raise BadSpec(f"config.json of {checkpoint} does not say {error}") from error
    except ValueError as error:
        raise BadSpec(f"config.json of {checkpoint}: {error}") from error


def describe_s3prl(options: Options) -> Description:
    """Return what is known about an S3PRL upstream, by loading it once in a process.

    Args:
        options: ``name`` and ``checkpoint``.

    Raises:
        MissingExtra: if S3PRL is not installed.
        NserbenchError: if the upstream cannot be loaded, with what to do next.
    """
    try:
        from nserbench.upstreams import s3prl
    except ImportError as error:
        raise MissingExtra("upstream 's3prl'", "s3prl") from error
    described: Description = s3prl.describe(options)
    return described
