import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from nserbench.benchmark.store.shards import check_shard, read_header, write_shard
from nserbench.errors import StoreDamaged

RNG = np.random.default_rng(0)
ARRAYS: dict[str, NDArray[Any]] = {
    "a/encoder": RNG.standard_normal((5, 7, 3)).astype(np.float16),
    "b/encoder": RNG.standard_normal((5, 2, 3)).astype(np.float16),
    "b/decoder": RNG.standard_normal((4, 3)).astype(np.float32),
}


def test_a_shard_is_a_safetensors_file_that_anyone_can_open(tmp_path: Path) -> None:
    file = write_shard(tmp_path, "frames", ARRAYS, {"seconds": "1"})

    found = load_file(file)

    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_shard_has_the_same_bytes_as_a_file_of_safetensors(
    tmp_path: Path,
) -> None:
    arrays = {**ARRAYS, "c/text": np.array([], np.uint8), "ä/text": np.ones(3, "u1")}
    facts = {"seconds": "1.5"}

    file = write_shard(tmp_path, "frames", arrays, facts)

    assert file.read_bytes() == save(arrays, facts)


def test_arrays_are_written_without_a_copy(tmp_path: Path) -> None:
    array = np.ones((13, 200, 768), np.float16)
    tracemalloc.start()

    write_shard(tmp_path, "frames", {"k/encoder": array}, {})

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 4


def test_strided_and_big_endian_arrays_keep_their_values(
    tmp_path: Path,
) -> None:
    turned = ARRAYS["a/encoder"].T
    foreign = ARRAYS["b/decoder"].astype(">f4")

    stored, _ = read_header(write_shard(tmp_path, "x", {"t": turned, "f": foreign}, {}))

    np.testing.assert_array_equal(stored["t"].read(0, 3), turned)
    np.testing.assert_array_equal(stored["f"].read(0, 4), foreign)


def test_some_layers_can_be_read_alone(tmp_path: Path) -> None:
    stored, facts = read_header(write_shard(tmp_path, "x", ARRAYS, {"seconds": "1"}))

    assert facts == {"seconds": "1"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(stored[name].read(1, 3), array[1:3])


def test_reading_without_preadv_returns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, _ = read_header(write_shard(tmp_path, "x", ARRAYS, {}))
    monkeypatch.delattr(os, "preadv")

    found = stored["a/encoder"].read(2, 5)

    np.testing.assert_array_equal(found, ARRAYS["a/encoder"][2:5])


def test_nothing_is_left_of_a_write_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write_shard(tmp_path / "store", "x", ARRAYS, {})

    assert list((tmp_path / "store").iterdir()) == []


def test_writing_works_without_posix_fadvise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    large = np.ones((2, 1 << 19), np.float32)

    file = write_shard(tmp_path, "x", {"k": large}, {})

    np.testing.assert_array_equal(load_file(file)["k"], large)


def test_a_shard_as_it_was_written_passes_the_check(tmp_path: Path) -> None:
    check_shard(write_shard(tmp_path, "x", ARRAYS, {"seconds": "1"}))


@pytest.mark.parametrize("place", [0, 7, 12, -1, -400])
def test_a_changed_byte_is_found(tmp_path: Path, place: int) -> None:
    file = write_shard(tmp_path, "x", ARRAYS, {})
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)

    with pytest.raises(StoreDamaged, match="has changed since it was written"):
        check_shard(file)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_shard_that_was_cut_is_found(tmp_path: Path, size: int) -> None:
    file = write_shard(tmp_path, "x", ARRAYS, {})
    file.write_bytes(file.read_bytes()[:size])

    with pytest.raises(StoreDamaged, match="has changed since it was written"):
        check_shard(file)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 40]}},
        {"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, -16]}},
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}},
        {"a": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": None, "data_offsets": [0, 16]}},
        {"a": [1, 2]},
        {"a": {"dtype": "F32", "shape": ["4"], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F32", "shape": [0, 1 << 60], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [10**30, 10**30 + 16]}},
        {"__metadata__": 3},
        [1, 2],
    ],
)
def test_a_header_that_contradicts_itself_is_refused(
    tmp_path: Path, header: object
) -> None:
    text = json.dumps(header).encode()
    file = tmp_path / "frames-0.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))

    with pytest.raises(StoreDamaged, match="header"):
        read_header(file)


@pytest.mark.parametrize("size", [1 << 63, 1 << 40, 17])
def test_a_header_of_a_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    file = tmp_path / "frames-0.safetensors"
    file.write_bytes(size.to_bytes(8, "little") + b"{}")

    with pytest.raises(StoreDamaged, match="header"):
        read_header(file)


def test_shards_of_the_same_numbers_under_other_keys_have_other_names(
    tmp_path: Path,
) -> None:
    array = ARRAYS["b/decoder"]

    one = write_shard(tmp_path, "x", {"a": array}, {})
    other = write_shard(tmp_path, "x", {"b": array}, {})

    assert one != other
