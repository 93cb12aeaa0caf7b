"""Configuration of a Conformer of speechbrain, read from ``hyperparams.yaml``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.paths import is_file
from nserbench.plain_data import number, whole_number
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.conformer.bounded_yaml import read_bounded
from nserbench.upstreams.groups import Description, GroupSpec
from nserbench.upstreams.loading.configs import LARGEST_SIZE, MOST_LAYERS
from nserbench.upstreams.loading.hub import find_folder

FILE = "hyperparams.yaml"
LANGUAGE_MODEL = "lm"
"""Name in speechbrain's checkpoints of the part that only beam search needs."""

_WEIGHTS = ("*.ckpt", "*.yaml", "*.txt", "*.model")
_CLASS = "class"
_HOP = 10  # ms; as the strides, the default of speechbrain
_STRIDES = "(1, 2, 2)"
_MOST_STRIDES, _LONGEST_HOP = 100, 1000

Content: TypeAlias = dict[str, Any]
"""Mappings as dicts, sequences as lists, all else as strings. Where a mapping describes
an object, its class is under `_CLASS`."""


def describe_conformer(options: Options) -> Description:
    """Return the groups ``encoder`` and ``decoder`` of a checkpoint, and what it can.

    Both groups include layer 0. With beam search it cannot be fine-tuned.
    The encoder's frame rate is that of the filter bank divided by
    the strides of the convolutions before block 1: 100 / (2 x 2) = 25 frames per second
    for the checkpoints in the cards.

    Args:
        options: ``checkpoint``, ``revision`` and ``search``.

    Raises:
        CheckpointMissing: if its ``hyperparams.yaml`` is not found, or
            cannot be read.
        BadSpec: if it does not describe an encoder and decoder of speechbrain for
            speech at 16 kHz.
    """
    where = options["checkpoint"]
    content = _read(find_folder(where, options["revision"], (FILE,), mark=FILE))
    model = _part(content, "TransformerASR", where)
    bank = _part(content, "Fbank", where)
    front = _part(content, "ConvolutionFrontEnd", where)
    try:
        sample_rate = _size(bank.get("sample_rate", SAMPLE_RATE))
        texts = re.findall("[0-9]+", str(front.get("strides", _STRIDES)))[
            :_MOST_STRIDES
        ]
        strides = [whole_number(text, 1, _LONGEST_HOP) for text in texts]
        hop = _hop(bank.get("hop_length", _HOP)) * math.prod(strides)
        dim = _size(model["d_model"])
        halves = [
            _size(model[f"num_{half}_layers"], MOST_LAYERS)
            for half in ("encoder", "decoder")
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadSpec(
            f"{FILE} of {where} does not say how large the model is: {error!r}"
        ) from error
    if sample_rate != SAMPLE_RATE:
        raise BadSpec(
            f"{where} reads audio at {sample_rate} Hz, not at {SAMPLE_RATE} Hz"
        )
    groups = {
        "encoder": GroupSpec(range(halves[0] + 1), dim, rate=1000 / hop),
        "decoder": GroupSpec(range(halves[1] + 1), dim, rate=None),
    }
    return Description(groups, True, options["search"] == "greedy", ("front",))


def _size(text: object, most: int = LARGEST_SIZE) -> int:
    return whole_number(str(text), 1, most)


def _hop(text: object) -> float:
    """Return the milliseconds between two frames of the filter bank."""
    value = number(str(text))
    if not 1 / _LONGEST_HOP <= value <= _LONGEST_HOP:
        raise ValueError(f"hop_length is {value:g} ms")
    return value


def conformer_folder(options: Options) -> Path:
    """Return the folder of a checkpoint, downloaded from the hub if needed.

    Args:
        options: ``checkpoint`` and ``revision``.

    Raises:
        CheckpointMissing: if it is not found.
        BadSpec: if a local folder is given a revision.
    """
    return find_folder(options["checkpoint"], options["revision"], _WEIGHTS, mark=FILE)


def conformer_weights(options: Options) -> dict[str, Path]:
    """Return the file of each part that is loaded, all in the checkpoint's folder.

    ``hyperparams.yaml`` may name another folder for a part. Only the file name is used,
    so nothing outside the checkpoint is read.

    Args:
        options: ``checkpoint``, ``revision`` and ``search``. The language model is
            not loaded if ``search`` is ``greedy``.

    Raises:
        CheckpointMissing: if a file is missing, or as `conformer_folder`.
        BadSpec: if the file does not say what is loaded, or as `conformer_folder`.
    """
    folder = conformer_folder(options)
    content = _read(folder)
    loader = _part(content, "Pretrainer", options["checkpoint"])
    paths, parts = (loader.get(key) or {} for key in ("paths", "loadables"))
    if not isinstance(paths, Mapping) or not isinstance(parts, Mapping):
        raise BadSpec(f"{folder / FILE} names no files of weights")
    weights = {
        part: folder / _name(content, paths.get(part, f"{part}.ckpt"))
        for part in parts
        if part != LANGUAGE_MODEL or options["search"] == "beam"
    }
    if not weights:
        raise BadSpec(f"{folder / FILE} names no files of weights")
    if missing := sorted(file.name for file in weights.values() if not is_file(file)):
        raise CheckpointMissing(
            f"{folder} is incomplete: its {FILE} names {', '.join(missing)}\n"
            "  wanted: the folder as its authors publish it"
        )
    return weights


def conformer_files(options: Options) -> list[Path]:
    """Return the files whose content determines the features, sorted.

    Options and errors are those of `conformer_weights`.
    """
    weights = conformer_weights(options)
    return sorted({conformer_folder(options) / FILE, *weights.values()})


def _read(folder: Path) -> Content:
    text = read_bounded(folder / FILE)
    try:
        content = _plain(yaml.compose(text, Loader=yaml.SafeLoader))
    except (RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise CheckpointMissing(f"{folder / FILE} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointMissing(f"{folder / FILE} holds no parameters")
    return content


def _plain(node: yaml.Node | None) -> Any:
    """Return a node as plain data. Nothing that a tag names is created or imported."""
    if isinstance(node, yaml.MappingNode):
        named = {_CLASS: node.tag} if node.tag.startswith("!") else {}
        return named | {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node is None else node.value


def _part(content: Content, kind: str, where: str) -> Content:
    """Return the object of a class, with references in its arguments resolved."""
    for part in content.values():
        if isinstance(part, Mapping) and str(part.get(_CLASS)).endswith(f".{kind}"):
            return {key: _value(content, value) for key, value in part.items()}
    raise BadSpec(
        f"{where} is no ASR of speechbrain with an encoder and a decoder: "
        f"its {FILE} has no {kind}"
    )


def _value(content: Content, value: Any) -> Any:
    """Resolve a reference such as ``<d_model>``."""
    if isinstance(value, str) and (match := re.fullmatch(r"<(\w+)>", value)):
        # Without the key itself, a circular reference ends.
        rest = {key: item for key, item in content.items() if key != match[1]}
        return _value(rest, content.get(match[1]))
    return value


def _name(content: Content, path: Any) -> str:
    return str(_value(content, path)).rpartition("/")[2]
