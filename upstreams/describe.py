"""The layers of each built-in upstream, told from its configuration alone."""

from __future__ import annotations

from nserbench.cards import Options
from nserbench.errors import BadSpec, MissingExtra
from nserbench.upstreams.base import Groups, GroupSpec
from nserbench.upstreams.checkpoints import read_config

MEL_BANDS = 80


def describe_mel(options: Options) -> Groups:
    """Give the one layer of the log-mel spectrogram, 100 frames per second."""
    return {"mel": GroupSpec(layers=range(1, 2), dim=MEL_BANDS, rate=100.0)}


def describe_whisper(options: Options) -> Groups:
    """Give both halves of a Whisper checkpoint, the input of each first block included.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if its configuration is neither here nor to be had.
        BadSpec: if it is not the configuration of a Whisper.
    """
    checkpoint = options["checkpoint"]
    config = read_config(checkpoint, options["revision"])
    if config.get("model_type") != "whisper":
        raise BadSpec(
            f"{checkpoint} is no Whisper: "
            f"its config.json says model_type {config.get('model_type')!r}"
        )
    try:
        return {
            "encoder": GroupSpec(
                range(config["encoder_layers"] + 1), config["d_model"], rate=50.0
            ),
            "decoder": GroupSpec(
                range(config["decoder_layers"] + 1), config["d_model"], rate=None
            ),
        }
    except KeyError as error:
        raise BadSpec(f"config.json of {checkpoint} does not say {error}") from error


def describe_bert(options: Options) -> Groups:
    """Give the one group of a BERT checkpoint, its embeddings included.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if its configuration is neither here nor to be had.
        BadSpec: if it is not the configuration of a BERT.
    """
    checkpoint = options["checkpoint"]
    config = read_config(checkpoint, options["revision"])
    if config.get("model_type") != "bert":
        raise BadSpec(
            f"{checkpoint} is no BERT: "
            f"its config.json says model_type {config.get('model_type')!r}"
        )
    try:
        layers = range(config["num_hidden_layers"] + 1)
        return {"text": GroupSpec(layers, config["hidden_size"], rate=None)}
    except KeyError as error:
        raise BadSpec(f"config.json of {checkpoint} does not say {error}") from error


def describe_s3prl(options: Options) -> Groups:
    """Give the one group of an S3PRL upstream, by loading it once in a process.

    Args:
        options: ``name`` and ``checkpoint``.

    Raises:
        MissingExtra: if S3PRL is not installed.
        NserbenchError: if the upstream cannot be loaded, with what would help.
    """
    try:
        from nserbench.upstreams import s3prl_bridge
    except ImportError as error:
        raise MissingExtra("upstream 's3prl'", "s3prl") from error
    return s3prl_bridge.describe(options)
