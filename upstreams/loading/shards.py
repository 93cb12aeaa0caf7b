"""Files of a large checkpoint that hold the weights of a part of its model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nserbench.errors import CheckpointMissing
from nserbench.plain_data import parse_json
from nserbench.upstreams.loading.hub import find_folder

INDEX = "model.safetensors.index.json"
"""Which file of a checkpoint has which tensor, where it has several."""

SINGLE = "model.safetensors"
SMALL = ("*.json", "*.txt", "*.model")


def shards_with(
    checkpoint: str, revision: str | None, prefixes: Sequence[str]
) -> list[Path]:
    """Return the files that hold a part's weights, downloaded if needed, sorted.

    Other files of weights need not be there.

    Args:
        checkpoint: A hub id or a local folder.
        revision: A commit, tag or branch of the hub id.
        prefixes: What the names of the part's weights may begin with.

    Raises:
        CheckpointMissing: if the checkpoint or one of the files is not found, or no
            file has such weights.
    """
    folder = find_folder(checkpoint, revision, SMALL)
    names = _names(folder / INDEX, prefixes) if (folder / INDEX).is_file() else [SINGLE]
    folder = find_folder(checkpoint, revision, (*SMALL, *names))
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise CheckpointMissing(
            f"{checkpoint} lacks the weights of its audio encoder: {missing[0]}\n"
            "  wanted: the safetensors files as the model's authors publish them"
        )
    return [folder / name for name in names]


def small_files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint that are not weights, sorted."""
    return sorted(file for pattern in SMALL for file in folder.glob(pattern))


def _names(index: Path, prefixes: Sequence[str]) -> list[str]:
    try:
        content: dict[str, Any] = parse_json(index.read_bytes())
        places = content["weight_map"].items()
        names = {str(file) for name, file in places if name.startswith(tuple(prefixes))}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointMissing(
            f"{index} does not say which file has which weights\n"
            "  wanted: the file as the model's authors publish it"
        ) from error
    if outside := [name for name in names if Path(name).name != name]:
        raise CheckpointMissing(f"{index} names a file outside its folder: {outside}")
    if not names:
        raise CheckpointMissing(
            f"{index.parent} has no weights of an audio encoder\n"
            f"  wanted: names that begin with {' or '.join(prefixes)}"
        )
    return sorted(names)
