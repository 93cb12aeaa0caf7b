"""The layers of each built-in upstream, told from its configuration alone."""

from __future__ import annotations

from nserbench.cards import Options
from nserbench.errors import BadSpec
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
