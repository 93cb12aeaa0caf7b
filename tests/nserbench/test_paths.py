"""Paths in files of others."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nserbench.errors import BadSettings
from nserbench.paths import exists, is_file, is_folder, named_errors, user_path
from nserbench.settings import load_settings


def test_a_home_is_put_in_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")

    assert user_path("~/data") == Path("/home/ann/data")
    assert user_path("~no-such-user/data") == Path("~no-such-user/data")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "no-such-file"])
def test_what_no_file_can_be_called_is_no_file(tmp_path: Path, name: str) -> None:
    assert not is_file(tmp_path / name)
    assert not is_folder(tmp_path / name)
    assert not exists(tmp_path / name)


def test_settings_may_name_the_home_of_an_unknown_user(tmp_path: Path) -> None:
    file = tmp_path / "nserbench.toml"
    file.write_text('[paths]\nemodb = "~no-such-user/emodb"\n')

    assert load_settings(file).path("emodb") == tmp_path / "~no-such-user/emodb"


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "nserbench.toml"
    file.write_text('[noises]\ncafe = "a\\u0000b"\n')

    with pytest.raises(BadSettings, match=r"'cafe' in \[noises\] must be a path"):
        load_settings(file)


def test_an_error_that_names_no_file_gets_the_name_of_the_one_at_hand() -> None:
    named = pytest.raises(OSError, match="No space left on device: 'shards'")

    with named, named_errors(Path("shards")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_error_that_names_a_file_keeps_its_name() -> None:
    named = pytest.raises(FileNotFoundError, match="'missing'")

    with named, named_errors(Path("shards")):
        Path("missing").read_bytes()
