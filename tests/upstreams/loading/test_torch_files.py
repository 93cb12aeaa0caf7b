"""Files of ``torch.save`` that are pointers, cut, or odd archives."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nserbench.errors import CheckpointMissing
from nserbench.upstreams.loading.torch_files import (
    pickled_part,
    refuse_placeholders,
    torch_file,
)

POINTER = """\
version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""
Change = Callable[[zipfile.ZipFile, str, bytes], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "model.pt"
    torch.save({"cfg": {"a": 1}, "model": {"w": torch.ones(100)}}, file)
    return file


def _rewritten(file: Path, change: Change) -> None:
    """Write an archive again; ``change`` writes each part."""
    with zipfile.ZipFile(file) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w") as new:
        for name, content in parts.items():
            change(new, name, content)


def _compressed(new: zipfile.ZipFile, name: str, content: bytes) -> None:
    new.writestr(name, content + b"\0" * 10_000_000, zipfile.ZIP_DEFLATED)


def _absolute(new: zipfile.ZipFile, name: str, content: bytes) -> None:
    new.writestr(f"/{name}", content)


def _outside(new: zipfile.ZipFile, name: str, content: bytes) -> None:
    new.writestr(f"../{name}", content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def _twice(new: zipfile.ZipFile, name: str, content: bytes) -> None:
    new.writestr(name, content)
    new.writestr(f"{name}2", content)
    new.filelist[-1].filename = name


def _encrypted(new: zipfile.ZipFile, name: str, content: bytes) -> None:
    new.writestr(name, content)
    new.filelist[-1].flag_bits |= 1


@pytest.mark.parametrize(
    "change", [_compressed, _absolute, _outside, _twice, _encrypted]
)
def test_an_archive_that_torch_does_not_write_is_refused(
    file: Path, change: Change
) -> None:
    _rewritten(file, change)

    for opened in (torch_file(file), pickled_part(file)):
        with pytest.raises(CheckpointMissing, match=r"no archive that torch"), opened:
            pytest.fail("it was read")


def test_parts_that_claim_more_than_the_file_are_refused(file: Path) -> None:
    content = file.read_bytes()
    begin = content.index(b"PK\x01\x02")  # the list of parts at the end
    size = begin + 24  # of the first part; the one before is its size when compressed
    huge = (2**31).to_bytes(4, "little")
    file.write_bytes(content[:size] + huge + content[size + 4 :])

    said = r"larger than the whole|cannot be read"
    with pytest.raises(CheckpointMissing, match=said), pickled_part(file):
        pytest.fail("it was read")


def test_a_pointer_of_git_lfs_is_named_with_the_way_to_get_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_text(POINTER)

    with pytest.raises(CheckpointMissing, match="git lfs pull"):
        refuse_placeholders([file])
    with pytest.raises(CheckpointMissing, match="git lfs pull"):
        _open(file)


def _open(file: Path) -> None:
    with torch_file(file):
        pytest.fail("it was read")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_archive_has_no_pickled_part(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)

    said = r"model\.pt (cannot be read: |is empty)"
    with pytest.raises(CheckpointMissing, match=said), pickled_part(file):
        pytest.fail("it was read")


@pytest.mark.parametrize(
    "error",
    [
        pickle.UnpicklingError("load it anyway"),
        EOFError(),
        KeyError("a"),
        MemoryError(),
    ],
)
def test_an_error_while_reading_becomes_a_message(file: Path, error: Exception) -> None:
    with (
        pytest.raises(CheckpointMissing, match=r"model\.pt cannot be read: ") as raised,
        torch_file(file),
    ):
        raise error

    assert "anyway" not in str(raised.value)


def test_a_number_that_is_cut_off_in_the_pickle_becomes_a_message(
    tmp_path: Path,
) -> None:
    file = tmp_path / "model.pt"
    torch.save({"w": 70_000}, file, _use_new_zipfile_serialization=False)
    content = file.read_bytes()
    number = (70_000).to_bytes(4, "little")
    file.write_bytes(content[: content.index(number) + 2])

    with (
        pytest.raises(CheckpointMissing, match=r"model\.pt cannot be read: "),
        torch_file(file),
    ):
        torch.load(file, weights_only=True)


def test_what_torch_wrote_is_read(file: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.pt"
    torch.save({"w": torch.ones(2)}, old, _use_new_zipfile_serialization=False)

    with pickled_part(file) as stream:
        assert stream.read(2) == b"\x80\x02"
    with torch_file(old):
        assert torch.load(old, weights_only=True)["w"].tolist() == [1, 1]
