"""The sizes of an emotion2vec checkpoint, read from the shapes of its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.paths import is_file, user_path
from nserbench.plain_data import is_whole
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.groups import Groups, GroupSpec
from nserbench.upstreams.loading.hub import find_folder
from nserbench.upstreams.loading.plain_pickles import Shape, read_plain

STRIDES = (5, 2, 2, 2, 2, 2, 2)
"""Strides of the convolutions, in samples or frames. Shapes of weights do not say them;
they are those of all published checkpoints."""

AUDIO = "modality_encoders.AUDIO."
"""What the names of all weights before the last blocks begin with."""

_ANCHOR = f"{AUDIO}alibi_scale"
_WEIGHTS = "*.pt"
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Emotion2vecSizes:
    """What differs among emotion2vec checkpoints.

    Attributes:
        prefix: What their names begin with, besides the names in this project's model.
        convolutions: Channels and kernel of each, in samples or frames.
        dim: Width.
        heads: Number of attention heads.
        feed_forward: Width within a block's feed-forward part.
        tokens: Number of learned vectors before the first frame.
        positions: Number of positional convolutions.
        position_kernel: Their kernel, in frames.
        position_groups: Their groups.
        local_blocks: Blocks of the encoder of audio, the first ones.
        blocks: Blocks after them.
    """

    prefix: str
    convolutions: tuple[tuple[int, int], ...]
    dim: int
    heads: int
    feed_forward: int
    tokens: int
    positions: int
    position_kernel: int
    position_groups: int
    local_blocks: int
    blocks: int


def describe_emotion2vec(options: Options) -> Groups:
    """Return the group ``encoder`` of a checkpoint, with layer 0.

    Neither torch nor the weights are loaded, but the file has to be there: no smaller
    one says its sizes.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if it is not found, or cannot be read.
        BadSpec: if it is no emotion2vec.
    """
    sizes = read_sizes(checkpoint_file(options))
    layers = range(sizes.local_blocks + sizes.blocks + 1)
    return {"encoder": GroupSpec(layers, sizes.dim, SAMPLE_RATE / math.prod(STRIDES))}


def emotion2vec_files(options: Options) -> list[Path]:
    """Return the file of a checkpoint, in a list; errors as `checkpoint_file`."""
    return [checkpoint_file(options)]


def checkpoint_file(options: Options) -> Path:
    """Return the file of a checkpoint, downloaded from the hub if needed.

    Args:
        options: ``checkpoint``: a hub id, a folder with one ``.pt`` file, or that file;
            and ``revision``.

    Raises:
        CheckpointMissing: if there is none, or there are several.
    """
    checkpoint, revision = options["checkpoint"], options["revision"]
    if is_file(file := user_path(checkpoint)):
        return file
    folder = find_folder(checkpoint, revision, (_WEIGHTS,), mark=_WEIGHTS)
    files = sorted(folder.glob(_WEIGHTS))
    if len(files) > 1:
        raise CheckpointMissing(
            f"{checkpoint} has {len(files)} files {_WEIGHTS}\n"
            f"  name one: emotion2vec:checkpoint={files[0]}"
        )
    return files[0]


def read_sizes(file: Path) -> Emotion2vecSizes:
    """Read the sizes of a checkpoint.

    Raises:
        CheckpointMissing: if it is no whole file of ``torch.save``.
        BadSpec: if it is no emotion2vec.
    """
    model = read_plain(file).get("model")
    shapes = model if isinstance(model, Mapping) else {}
    names = [name for name in shapes if isinstance(name, str)]
    prefixes = [name.removesuffix(_ANCHOR) for name in names if name.endswith(_ANCHOR)]
    try:
        if len(prefixes) != 1:
            raise KeyError(_ANCHOR)
        return _sizes(_Shapes(prefixes[0], shapes))
    except KeyError as error:
        raise BadSpec(
            f"{file} is no emotion2vec: it has no {error}\n"
            "  wanted: the .pt file as its authors publish it"
        ) from error
    except ValueError as error:
        raise BadSpec(f"{file} is no known emotion2vec: {error}") from error


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The shapes of a checkpoint's tensors, by their names without the prefix."""

    prefix: str
    every: Mapping[Any, Any]

    def of(self, name: str, dimensions: int) -> Shape:
        """Return the shape of a tensor.

        Raises:
            KeyError: if there is none.
            ValueError: if it has another number of dimensions, or a size is too large.
        """
        shape = self.every[self.prefix + name]
        if not isinstance(shape, Shape) or len(shape) != dimensions:
            raise ValueError(f"{name} has not {dimensions} dimensions")
        if not all(is_whole(size, 1, _LARGEST) for size in shape):
            raise ValueError(f"{name} has the shape {tuple(shape)!r:.80}")
        return shape

    def count(self, pattern: str, first: int = 0) -> int:
        """Return how many tensors there are of a pattern with a number.

        Args:
            first: The number of the first one.

        Raises:
            KeyError: if there is none.
        """
        found = 0
        while self.prefix + pattern.format(first + found) in self.every:
            found += 1
        if not found:
            raise KeyError(pattern.format(first))
        return found


def _sizes(shapes: _Shapes) -> Emotion2vecSizes:
    convolution = f"{AUDIO}local_encoder.conv_layers.{{}}.0.weight"
    count = shapes.count(convolution)
    if count != len(STRIDES):
        raise ValueError(f"{count} convolutions, but all published ones have 7")
    kernels = [shapes.of(convolution.format(n), 3) for n in range(count)]
    *_, heads, _, _ = shapes.of(_ANCHOR, 5)
    _, tokens, dim = shapes.of(f"{AUDIO}extra_tokens", 3)
    position = f"{AUDIO}relative_positional_encoder.{{}}.0.weight"
    _, width, kernel = shapes.of(position.format(1), 3)
    hidden, _ = shapes.of("blocks.0.mlp.fc1.weight", 2)
    if not kernel % 2:
        raise ValueError(
            f"positional kernels of {kernel}, but all published ones are odd"
        )
    if dim % heads or dim % width:
        raise ValueError(f"{heads} heads and groups of {width} for a width of {dim}")
    query = "blocks.{}.attn.qkv.weight"
    return Emotion2vecSizes(
        prefix=shapes.prefix,
        convolutions=tuple((channels, taps) for channels, _, taps in kernels),
        dim=dim,
        heads=heads,
        feed_forward=hidden,
        tokens=tokens,
        positions=shapes.count(position, first=1),
        position_kernel=kernel,
        position_groups=dim // width,
        local_blocks=shapes.count(f"{AUDIO}context_encoder.{query}"),
        blocks=shapes.count(query),
    )
