"""Shards: files of many named arrays, each written completely or not at all."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.store.digests import bytes_digest
from nserbench.benchmark.store.whole_files import Piece, temporary_file
from nserbench.errors import StoreDamaged
from nserbench.paths import named_errors
from nserbench.plain_data import is_whole, parse_json

SUFFIX = ".safetensors"
_TYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "U8": np.dtype("u1"),
}
_MOST_AXES = 8
_LARGEST = 2**40
"""Largest size of an axis, and bytes of a shard; an empty array may claim any size."""
_ALIGNMENT = 8
"""Bytes; a safetensors header is padded to a multiple of it."""
_STEP = 1 << 22
"""Bytes read at a time when a shard is checked."""


@dataclass(frozen=True, slots=True)
class ArrayLocation:
    """Position of an array in a shard.

    Attributes:
        file: Path of the shard.
        start: Bytes from the beginning of the file.
        dtype: Type of the elements, which are in C order.
        shape: Shape of the array.
    """

    file: Path
    start: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def end(self) -> int:
        """Bytes from the beginning of the file to the end of the array."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Read rows ``first`` up to ``last`` of the first axis into a new array.

        Raises:
            StoreDamaged: if the file is shorter than its header says.
        """
        array = np.empty((last - first, *self.shape[1:]), self.dtype)
        row_bytes = array[:1].nbytes
        start = self.start + first * row_bytes
        if _read_at(self.file, start, array.data) != array.nbytes:
            raise StoreDamaged(f"{self.file} is shorter than its header says")
        return array


def _read_at(file: Path, start: int, view: memoryview) -> int:
    """Fill a buffer from a position in a file; return the number of bytes read."""
    view = view.cast("B")
    if not hasattr(os, "preadv"):
        with named_errors(file), file.open("rb") as stream:
            stream.seek(start)
            return stream.readinto(view)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        done = 0
        with named_errors(file):  # one call reads at most 2 GiB
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
    """Write arrays as one safetensors file, named by its content; see `_name`.

    The file is written under a temporary name, synced and renamed, so that a kill or
    a full disk leaves either the whole shard or none.

    Args:
        folder: Folder to write to, created if missing.
        prefix: Beginning of the file's name.
        arrays: Arrays of float16, float32 or uint8, by name.
        facts: Metadata for the header.

    Returns:
        Path of the file.
    """
    ordered = {name: _little_endian(arrays[name]) for name in _order(arrays)}
    header = _header(ordered, facts)
    data = [array.data for array in ordered.values()]
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{prefix}-{uuid4().hex}"
    # The checksum and the write both release the GIL, so they run at the same time.
    with ThreadPoolExecutor(1) as pool:
        name = pool.submit(_name, header, data)
        with temporary_file(temporary, header, *data):
            final = folder / f"{prefix}-{name.result()}{SUFFIX}"
            temporary.replace(final)
    return final


def _order(arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """Sort names as safetensors does: wide elements first, so that all are aligned."""
    return sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in little-endian C order, copied only where it is not so yet."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _header(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, str]) -> bytes:
    """Return the header of a safetensors file, with its length before it."""
    names = {dtype: name for name, dtype in _TYPES.items()}
    entries: dict[str, object] = {"__metadata__": dict(facts)} if facts else {}
    start = 0
    for name, array in arrays.items():
        entries[name] = {
            "dtype": names[array.dtype],
            "shape": array.shape,
            "data_offsets": (start, start + array.nbytes),
        }
        start += array.nbytes
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _name(header: bytes, data: Iterable[Piece]) -> str:
    """Return the digest of a shard's header and of the CRC-32 of its data.

    The header holds the keys, so that shards of different utterances never share a
    name. A digest of the data would take as long as writing them, while a CRC-32 is
    several times faster and misses one damaged shard in 2 ** 32.
    """
    checksum = 0
    for piece in data:
        checksum = zlib.crc32(piece, checksum)
    return bytes_digest(header + checksum.to_bytes(4, "little"))


_UNREADABLE = ValueError, KeyError, TypeError, AttributeError, RecursionError


def read_header(file: Path) -> tuple[dict[str, ArrayLocation], dict[str, str]]:
    """Return the position of each array in a shard, and the shard's metadata.

    Raises:
        StoreDamaged: if the header cannot be read, or names a place outside the file.
    """
    try:
        with named_errors(file), file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            end = file.stat().st_size
            if size > end - 8:
                raise ValueError(f"the header has {size} bytes, the file {end}")
            header = parse_json(stream.read(size))
        facts = {str(name): str(fact) for name, fact in _metadata(header).items()}
        arrays = {
            name: _location(file, 8 + size, entry) for name, entry in header.items()
        }
    except (*_UNREADABLE, IsADirectoryError) as error:
        raise StoreDamaged(f"{file} has no readable header") from error
    if any(array.end > end for array in arrays.values()):
        raise StoreDamaged(f"{file} is shorter than its header says")
    return arrays, facts


def _metadata(header: dict[str, Any]) -> dict[str, Any]:
    """Remove the metadata from a header, and return it."""
    metadata: dict[str, Any] = header.pop("__metadata__", {})
    return metadata


def _location(file: Path, begin: int, entry: Mapping[str, Any]) -> ArrayLocation:
    """Return the position of one array, from its entry in the header."""
    shape = tuple(entry["shape"])
    start, stop = entry["data_offsets"]
    dtype = _TYPES[entry["dtype"]]
    if len(shape) > _MOST_AXES or not all(map(_is_size, (start, stop, *shape))):
        raise ValueError(f"{entry} holds no sizes")
    if stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{entry} contradicts itself")
    return ArrayLocation(file, begin + start, dtype, shape)


def _is_size(value: object) -> bool:
    return is_whole(value, 0, _LARGEST)


def check_shard(file: Path) -> None:
    """Compare a shard's content with its name.

    Raises:
        StoreDamaged: if they differ.
    """
    if file.is_dir():
        raise StoreDamaged(f"{file} is a folder")
    with named_errors(file), file.open("rb") as stream:
        size = 8 + int.from_bytes(stream.read(8), "little")
        stream.seek(0)
        header = stream.read(min(size, file.stat().st_size))
        name = _name(header, iter(lambda: stream.read(_STEP), b""))
    if name != file.stem.rpartition("-")[2]:
        raise StoreDamaged(f"{file} has changed since it was written")
