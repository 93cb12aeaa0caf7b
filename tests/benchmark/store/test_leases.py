import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from nserbench.benchmark.store import leases as module
from nserbench.benchmark.store.leases import lease, living_leases


def test_files_are_in_use_while_the_lease_is_open(tmp_path: Path) -> None:
    folder, head = tmp_path / "features/ab", tmp_path / "fits/cd.safetensors"

    with lease(tmp_path, [folder, head]):
        (living,) = living_leases(tmp_path)

    assert living.covers(folder / "pooled-1.safetensors", tmp_path)
    assert living.covers(head, tmp_path)
    assert not living.covers(tmp_path / "features/ef/pooled-1.safetensors", tmp_path)
    assert not living.covers(tmp_path / "fits/ef.safetensors", tmp_path)
    assert living.holder.endswith(f"process {os.getpid()}")
    assert living_leases(tmp_path) == []


def test_the_lease_of_a_dead_process_is_not_valid(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    with lease(tmp_path, []):
        (file,) = (tmp_path / "in-use").glob("*.json")
        content = json.loads(file.read_text()) | {"pid": int(dead.stdout)}
        file.write_text(json.dumps(content))

        assert living_leases(tmp_path) == []
        assert not file.exists()


@pytest.mark.parametrize(("silent", "living"), [(60, 1), (600, 0)])
def test_the_lease_of_another_machine_ends_without_signs_of_life(
    tmp_path: Path, silent: int, living: int
) -> None:
    with lease(tmp_path, []):
        (file,) = (tmp_path / "in-use").glob("*.json")
        content = json.loads(file.read_text()) | {"host": "elsewhere"}
        file.write_text(json.dumps(content))
        then = time.time() - silent
        os.utime(file, (then, then))

        assert len(living_leases(tmp_path)) == living


def test_an_open_lease_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    with lease(tmp_path, []):
        (file,) = (tmp_path / "in-use").glob("*.json")
        os.utime(file, (0, 0))
        deadline = time.monotonic() + 30
        while file.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)

        assert file.stat().st_mtime > 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"host": 1, "pid": "x"}',
        '{"host": "HOST", "pid": 1e30, "paths": []}',
        '{"host": "HOST", "pid": 99999999999999, "paths": []}',
        '{"host": "HOST", "pid": -1, "paths": []}',
        '{"host": "HOST", "pid": 1, "paths": [[]]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_lease_is_ignored(tmp_path: Path, content: str) -> None:
    content = content.replace("HOST", socket.gethostname())
    (tmp_path / "in-use").mkdir()
    (tmp_path / "in-use/x.json").write_text(content)

    assert living_leases(tmp_path) == []


def test_on_windows_no_process_is_asked_whether_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    ask = Mock()  # there, it would interrupt the process
    monkeypatch.setattr(os, "kill", ask)
    with lease(tmp_path, [tmp_path / "a"]):
        found = living_leases(tmp_path)

    ask.assert_not_called()
    assert [one.paths for one in found] == [frozenset({"a"})]
