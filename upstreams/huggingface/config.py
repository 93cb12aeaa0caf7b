"""The groups of a Hugging Face checkpoint, read from its configuration only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.groups import Description, Groups, GroupSpec
from nserbench.upstreams.huggingface.families import (
    FAMILIES,
    PLACES,
    REFUSED,
    Family,
    Place,
)
from nserbench.upstreams.huggingface.frames import Pieces
from nserbench.upstreams.loading.configs import (
    LARGEST_SIZE,
    MOST_LAYERS,
    of_type,
    size_in,
    whisper_groups,
)
from nserbench.upstreams.loading.hub import checkpoint_files, read_config
from nserbench.upstreams.loading.shards import shards_with, small_files

DECODER_LAYERS = (
    "decoder_layers",
    "decoder_num_hidden_layers",
    "num_hidden_layers",
    "n_layer",
)
"""Keys of the number of a decoder's blocks; the first that is there counts."""

DECODER_WIDTH = ("d_model", "hidden_size", "n_embd")


@dataclass(frozen=True, slots=True)
class Reading:
    """How ``hf`` reads a checkpoint.

    Attributes:
        place: Where the encoder is in it.
        family: Of which family the encoder is.
        config: The configuration of the encoder, as ``config.json`` has it.
        groups: Its groups.
    """

    place: Place
    family: Family
    config: Mapping[str, Any]
    groups: Groups

    def first(self, blocks: int) -> Reading:
        """Return the reading of only the first blocks of the encoder."""
        whole = self.groups["encoder"]
        return replace(
            self, groups={"encoder": replace(whole, layers=range(1 + blocks))}
        )

    def frames(self, samples: int) -> int:
        """Return the frames of a clip that are not padding."""
        return self.family.frames(self.config, samples)

    @property
    def pieces(self) -> Pieces | None:
        """How a clip is cut that is too long; None if there is no limit."""
        return self.family.pieces and self.family.pieces(self.config)


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
            return reading_of(config, checkpoint).groups

    return describe


def describe_hf(options: Options) -> Description:
    """Return what a checkpoint of transformers has; see `read_checkpoint`.

    It transcribes if it has a decoder that is read. Fine-tuning does not change what
    is before the blocks.

    Args:
        options: ``id`` and ``revision``.
    """
    config = read_config(options["id"], options["revision"])
    if config.get("model_type") == "whisper":
        groups = whisper_groups(config, options["id"])
        return Description(groups, True, True, ("encoder.conv1", "encoder.conv2"))
    reading = reading_of(config, options["id"])
    transcribes = "decoder" in reading.groups
    return Description(reading.groups, transcribes, True, reading.family.front)


def hf_files(options: Options) -> list[Path]:
    """Return the files of ``hf`` that determine the features.

    Of a model in which the encoder is a part, these are the files with its weights.
    """
    checkpoint, revision = options["id"], options["revision"]
    config = read_config(checkpoint, revision)
    prefixes = PLACES.get(str(config.get("model_type")), Place()).weights
    if not prefixes:
        return checkpoint_files(as_checkpoint(options))
    shards = shards_with(checkpoint, revision, prefixes)
    return sorted([*small_files(shards[0].parent), *shards])


def as_checkpoint(options: Options) -> Options:
    """Return the options of ``hf`` as those of an upstream with a ``checkpoint``."""
    return {
        "checkpoint": options["id"],
        "revision": options["revision"],
        "language": None,
        "pad": True,
    }


def read_checkpoint(options: Options) -> Reading:
    """Return how a checkpoint is read: its encoder, and its decoder if any.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if the configuration is not found.
        BadSpec: if the checkpoint needs code of its own, is of a type that is not
            read, or has a configuration that lacks a needed key.
    """
    config = read_config(options["checkpoint"], options["revision"])
    return reading_of(config, options["checkpoint"])


def reading_of(config: Mapping[str, Any], checkpoint: str) -> Reading:
    """Return how a checkpoint of some configuration is read.

    See `read_checkpoint`.
    """
    if "auto_map" in config:
        raise BadSpec(
            f"{checkpoint} needs Python code that comes with its weights\n"
            "  such code is never run; wrap the model in a plugin of your own"
        )
    place = PLACES.get(str(config.get("model_type")), Place())
    part = _part(config, place.path, f"the encoder of {checkpoint}")
    family = _family(place.family or part.get("model_type"), config, checkpoint)
    with _complete(f"the encoder of {checkpoint}"):
        # Asked for here, so that a key that is missing is reported before weights load.
        family.frames(part, SAMPLE_RATE)
        if family.pieces:
            family.pieces(part)
        groups = {"encoder": _spec(part, (family.layers,), (family.width,))}
        rate = SAMPLE_RATE / family.stride(part)
    groups["encoder"] = GroupSpec(groups["encoder"].layers, groups["encoder"].dim, rate)
    if place.decoder is not None:
        whose = f"the decoder of {checkpoint}"
        decoder = _part(config, place.decoder, whose)
        with _complete(whose):
            groups["decoder"] = _spec(decoder, DECODER_LAYERS, DECODER_WIDTH)
    return Reading(place, family, part, groups)


def _family(model_type: object, config: Mapping[str, Any], checkpoint: str) -> Family:
    """Return the family of an encoder.

    Raises:
        BadSpec: if it is not read.
    """
    if isinstance(model_type, str) and model_type in FAMILIES:
        return FAMILIES[model_type]
    whole = config.get("model_type")
    which = f"{whole!r}" if model_type in (whole, None) else f"{model_type!r}"
    why = REFUSED.get(str(model_type))
    reads = ", ".join(sorted({"whisper", *FAMILIES, *PLACES}))
    raise BadSpec(
        f"{checkpoint} has an encoder of type {which}, which hf does not read"
        + (f": {why}" if why else "")
        + f"\n  hf reads: {reads}\n"
        "  another model: wrap it in a plugin of your own"
    )


def _part(
    config: Mapping[str, Any], path: Sequence[str], whose: str
) -> Mapping[str, Any]:
    """Return a nested configuration.

    Raises:
        BadSpec: if it is not there.
    """
    for key in path:
        inner = config.get(key)
        if not isinstance(inner, dict):
            raise BadSpec(
                f"config.json does not describe {whose}: it has no {key!r}\n"
                "  wanted: config.json as the model's authors publish it"
            )
        config = inner
    return config


@contextmanager
def _complete(whose: str) -> Iterator[None]:
    """In the block, refuse a configuration that lacks a key, or has an odd value."""
    try:
        yield
    except KeyError as error:
        problem = f"it has no {error.args[0]}"
    except (ArithmeticError, TypeError, ValueError) as error:
        problem = str(error)
    else:
        return
    raise BadSpec(
        f"config.json does not describe {whose}: {problem}\n"
        "  wanted: config.json as the model's authors publish it"
    )


def _spec(
    config: Mapping[str, Any], layers: Sequence[str], width: Sequence[str]
) -> GroupSpec:
    count = _size(config, layers, MOST_LAYERS)
    return GroupSpec(range(1 + count), _size(config, width, LARGEST_SIZE), None)


def _size(config: Mapping[str, Any], keys: Sequence[str], most: int) -> int:
    """Return the value of the first of some keys that the configuration has.

    Raises:
        KeyError: if it has none.
        ValueError: if the value is no size.
    """
    key = next((key for key in keys if config.get(key) is not None), None)
    if key is None:
        raise KeyError(" or ".join(keys))
    return size_in(config, key, most)
