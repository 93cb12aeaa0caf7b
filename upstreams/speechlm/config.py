"""The configuration of a SpeechLM checkpoint, read without its weights."""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import SAMPLE_RATE, Groups, GroupSpec

HOME = "https://github.com/microsoft/SpeechT5/tree/main/SpeechLM"
"""Where the authors list their checkpoints."""

_CONVOLUTION = re.compile(r"\[\((\d+),(\d+),(\d+)\)\](?:\*(\d+))?")
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
    file = Path(options["checkpoint"]).expanduser()
    if not file.is_file():
        raise CheckpointMissing(
            f"there is no SpeechLM checkpoint {file}\n"
            f"  the .pt files of its authors: {HOME}"
        )
    return file


def read_speechlm_config(file: Path) -> SpeechLMConfig:
    """Read the configuration of a ``.pt`` file.

    Neither torch nor the weights are loaded, and nothing that the file names is run.

    Raises:
        BadSpec: if it is no pre-trained SpeechLM, or differs from all published ones.
    """
    config = _read(file).get("cfg")
    try:
        if not isinstance(config, Mapping):
            raise KeyError("cfg")
        return _config(config["model"], config["task"])
    except KeyError as error:
        raise BadSpec(
            f"{file} is no pre-trained SpeechLM: it has no {error}\n"
            f"  the .pt files of its authors: {HOME}"
        ) from error
    except ValueError as error:
        raise BadSpec(f"{file} is no known SpeechLM: {error}") from error


def _config(model: Mapping[str, Any], task: Mapping[str, Any]) -> SpeechLMConfig:
    text = model["text_transformer"]
    unit = text["encoder"]
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
        conv_bias=model["conv_bias"],
        normalize=task["normalize"],
        position_kernel=model["conv_pos"],
        position_groups=model["conv_pos_groups"],
        positions=text["max_source_positions"],
        speech=TransformerSizes(
            layers=model["encoder_layers"],
            dim=model["encoder_embed_dim"],
            feed_forward=model["encoder_ffn_embed_dim"],
            heads=model["encoder_attention_heads"],
            pre_norm=model["layer_norm_first"],
        ),
        unit=TransformerSizes(
            layers=unit["layers"],
            dim=unit["embed_dim"],
            feed_forward=unit["ffn_embed_dim"],
            heads=unit["attention_heads"],
            pre_norm=unit["normalize_before"],
        ),
    )


def _expect(config: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        if config[key] != value:
            raise ValueError(
                f"{key}={config[key]}, but all published ones have {value}"
            )


def _convolutions(text: str) -> tuple[tuple[int, int, int], ...]:
    """Parse fairseq's Python expression: ``[(512,10,5)] + [(512,3,2)] * 4``."""
    layers: list[tuple[int, int, int]] = []
    for piece in re.sub(r"\s", "", text).split("+"):
        match = _CONVOLUTION.fullmatch(piece)
        if match is None:
            raise ValueError(f"conv_feature_layers={text}")
        channels, kernel, stride, times = match.groups(default="1")
        layers += [(int(channels), int(kernel), int(stride))] * int(times)
    return tuple(layers)


class IgnoredObject:
    """Replaces any object of a checkpoint that is not plain data, and stays empty."""

    def __init__(self, *ignored: object) -> None:
        pass

    def __call__(self, *ignored: object) -> IgnoredObject:
        """Replace a function as well."""
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def extend(self, items: object) -> None:
        """Replace a list as well."""


class _DataUnpickler(pickle.Unpickler):
    """Reads plain data, and replaces everything else by an `IgnoredObject`."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return IgnoredObject

    def persistent_load(self, pid: object) -> None:
        """Skip the values of a tensor."""


def _read(file: Path) -> Mapping[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            with archive.open(names[0]) as pickled:
                content = _DataUnpickler(pickled).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise BadSpec(
            f"{file} is no complete file of torch.save: {error}\n"
            f"  wanted: a SpeechLM .pt, as listed at {HOME}"
        ) from error
    return content if isinstance(content, Mapping) else {}
