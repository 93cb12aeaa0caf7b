"""What a SpeechLM checkpoint says of itself, read without its weights."""

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
        heads: Of the attention.
        pre_norm: Whether each block normalises what enters its parts (Large), not
            what leaves them (Base).
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
        normalize: Whether a wave is brought to mean 0 and variance 1.
        position_kernel: Frames under the convolution that tells the place of a frame.
        position_groups: Of the same.
        positions: Frames for which the unit transformer has a position of their own.
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
    """Give both transformers of a checkpoint, the input of each first block included.

    Args:
        options: ``checkpoint``.

    Raises:
        CheckpointMissing: if it is not there.
        BadSpec: if it is no pre-trained SpeechLM.
    """
    config = read_speechlm_config(checkpoint_file(options))
    return {
        name: GroupSpec(range(it.layers + 1), it.dim, config.rate)
        for name, it in (("speech", config.speech), ("unit", config.unit))
    }


def speechlm_files(options: Options) -> list[Path]:
    """Give the one file of a checkpoint.

    Raises:
        CheckpointMissing: if it is not there.
    """
    return [checkpoint_file(options)]


def checkpoint_file(options: Options) -> Path:
    """Give the file that the option ``checkpoint`` names.

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
        BadSpec: if it is no pre-trained SpeechLM, or one built as none published is.
    """
    said = _read(file).get("cfg")
    try:
        if not isinstance(said, Mapping):
            raise KeyError("cfg")
        return _config(said["model"], said["task"])
    except KeyError as error:
        raise BadSpec(
            f"{file} is no pre-trained SpeechLM: it does not say {error}\n"
            f"  the .pt files of its authors: {HOME}"
        ) from error
    except ValueError as error:
        raise BadSpec(f"{file} is no SpeechLM that is known: {error}") from error


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


def _expect(said: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if said[key] != value:
            raise ValueError(f"{key}={said[key]}, and all published have {value}")


def _convolutions(text: str) -> tuple[tuple[int, int, int], ...]:
    """Read what fairseq evaluates as Python: ``[(512,10,5)] + [(512,3,2)] * 4``."""
    found: list[tuple[int, int, int]] = []
    for piece in re.sub(r"\s", "", text).split("+"):
        match = _CONVOLUTION.fullmatch(piece)
        if match is None:
            raise ValueError(f"conv_feature_layers={text}")
        channels, kernel, stride, times = match.groups(default="1")
        found += [(int(channels), int(kernel), int(stride))] * int(times)
    return tuple(found)


class IgnoredObject:
    """Stands for any object of a checkpoint that is not plain data, and stays empty."""

    def __init__(self, *ignored: object) -> None:
        pass

    def __call__(self, *ignored: object) -> IgnoredObject:
        """Stand for a function, too."""
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def extend(self, items: object) -> None:
        """Stand for a list, too."""


class _DataUnpickler(pickle.Unpickler):
    """Reads plain data, and puts something inert in the place of all else."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return IgnoredObject

    def persistent_load(self, pid: object) -> None:
        """Leave out the numbers of a tensor."""


def _read(file: Path) -> Mapping[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [it for it in archive.namelist() if it.endswith("/data.pkl")]
            with archive.open(names[0]) as pickled:
                content = _DataUnpickler(pickled).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise BadSpec(
            f"{file} is no whole file of torch.save: {error}\n"
            f"  wanted: a SpeechLM .pt, as listed at {HOME}"
        ) from error
    return content if isinstance(content, Mapping) else {}
