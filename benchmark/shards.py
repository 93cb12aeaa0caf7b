"""Shards: many named arrays in one file that is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from nserbench.benchmark.digests import bytes_digest
from nserbench.errors import StoreDamaged

SUFFIX = ".safetensors"
_TYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "U8": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an array lies.

    Attributes:
        file: The shard.
        start: Bytes from the file's beginning.
        dtype: Of the elements, in C order.
        shape: Of the array.
    """

    file: Path
    start: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Read rows ``first`` up to ``last`` of the first axis into a new array.

        Raises:
            StoreDamaged: if the file is shorter than its header says.
        """
        found = np.empty((last - first, *self.shape[1:]), self.dtype)
        row = found[:1].nbytes
        if _read_at(self.file, self.start + first * row, found.data) != found.nbytes:
            raise StoreDamaged(f"{self.file} is shorter than its header says")
        return found


def _read_at(file: Path, start: int, view: memoryview) -> int:
    """Fill a buffer from a place in a file; give the bytes read."""
    view = view.cast("B")
    if not hasattr(os, "preadv"):
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.readinto(view)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        done = 0
        # One call reads at most 2 GiB.
        while step := os.preadv(descriptor, [view[done:]], start + done):
            done += step
        return done
    finally:
        os.close(descriptor)


def write_shard(
    folder: Path,
    prefix: str,
    arrays: Mapping[str, NDArray[Any]],
    facts: Mapping[str, str],
) -> Path:
    """Write arrays as one safetensors file, named by the digest of its content.

    It is written under a temporary name, synced and renamed, so that a kill or a full
    disk leaves either the whole shard or none.

    Args:
        folder: Where to write, made if need be.
        prefix: What the name begins with.
        arrays: float16, float32 or uint8.
        facts: Metadata for the header.

    Returns:
        The file.
    """
    content = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        dict(facts),
    )
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"{prefix}-{bytes_digest(content)}{SUFFIX}"
    write_whole(final, content)
    return final


def write_whole(final: Path, content: bytes) -> None:
    """Write a file so that a kill or a full disk leaves it whole or not there."""
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def read_header(file: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """Give where each array of a shard lies, and its metadata.

    Raises:
        StoreDamaged: if the header cannot be read.
    """
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(size))
        facts = header.pop("__metadata__", {})
        return {
            name: Stored(
                file,
                8 + size + entry["data_offsets"][0],
                _TYPES[entry["dtype"]],
                tuple(entry["shape"]),
            )
            for name, entry in header.items()
        }, facts
    except (ValueError, KeyError) as error:
        raise StoreDamaged(f"{file} has no readable header; delete it") from error


def check_shard(file: Path) -> None:
    """Compare a shard's content with the digest in its name.

    Raises:
        StoreDamaged: if they differ.
    """
    if bytes_digest(file.read_bytes()) != file.stem.rpartition("-")[2]:
        raise StoreDamaged(
            f"{file} is not what was written\n"
            "  delete it and run the same command again: only it is made anew"
        )
