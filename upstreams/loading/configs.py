"""The layer groups of the built-in upstreams, read from configurations only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec, MissingExtra
from nserbench.upstreams.base import Groups, GroupSpec
from nserbench.upstreams.loading.hub import read_config

MEL_BANDS = 80


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
    with typed_config(options, "whisper", "Whisper") as config:
        return {
            "encoder": GroupSpec(
                range(config["encoder_layers"] + 1), config["d_model"], rate=50.0
            ),
            "decoder": GroupSpec(
                range(config["decoder_layers"] + 1), config["d_model"], rate=None
            ),
        }


def describe_bert(options: Options) -> Groups:
    """Return the group of a BERT checkpoint, with its embeddings as layer 0.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if its configuration is not found.
        BadSpec: if it is not the configuration of a BERT.
    """
    with typed_config(options, "bert", "BERT") as config:
        layers = range(config["num_hidden_layers"] + 1)
        return {"text": GroupSpec(layers, config["hidden_size"], rate=None)}


@contextmanager
def typed_config(
    options: Options, model_type: str, called: str, hint: str = ""
) -> Iterator[dict[str, Any]]:
    """Read the configuration of a checkpoint of one type.

    Args:
        options: ``checkpoint`` and ``revision``.
        model_type: Required ``model_type`` of the configuration.
        called: Name of this type in messages.
        hint: What to do if it is of another type.

    Raises:
        CheckpointMissing: if its configuration is not found.
        BadSpec: if it is of another type, or lacks a key.
    """
    checkpoint = options["checkpoint"]
    config = read_config(checkpoint, options["revision"])
    if config.get("model_type") != model_type:
        raise BadSpec(
            f"{checkpoint} is no {called}: "
            f"its config.json says model_type {config.get('model_type')!r}{hint}"
        )
    try:
        yield config
    except KeyError as error:
        raise BadSpec(f"config.json of {checkpoint} does not say {error}") from error


def describe_s3prl(options: Options) -> Groups:
    """Return the group of an S3PRL upstream, by loading it once in a process.

    Args:
        options: ``name`` and ``checkpoint``.

    Raises:
        MissingExtra: if S3PRL is not installed.
        NserbenchError: if the upstream cannot be loaded, with what to do next.
    """
    groups: Groups = _s3prl().describe(options)
    return groups


def s3prl_tunes(options: Options) -> bool:
    """Return whether an S3PRL upstream has weights; see `describe_s3prl`."""
    tunable: bool = _s3prl().tunes(options)
    return tunable


def s3prl_front(options: Options) -> Sequence[str]:
    """Return the name of the front convolutions, if any; see `describe_s3prl`."""
    frozen: Sequence[str] = _s3prl().front(options)
    return frozen


def _s3prl() -> ModuleType:
    try:
        from nserbench.upstreams import s3prl as s3prl_bridge
    except ImportError as error:
        raise MissingExtra("upstream 's3prl'", "s3prl") from error
    return s3prl_bridge
