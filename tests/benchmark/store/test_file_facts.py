import os
import random
import sqlite3
from pathlib import Path
from unittest.mock import Mock

import pytest

from nserbench.benchmark.store.digests import file_digest
from nserbench.benchmark.store.file_facts import FileFacts


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def facts(tmp_path: Path, notes: list[str]) -> FileFacts:
    return FileFacts(tmp_path / "ledger.sqlite", note=notes.append)


def exchange(file: Path, content: bytes) -> None:
    """Write another content of the same size, and set the time to what it was."""
    stat = file.stat()
    assert len(content) == stat.st_size
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def fails(monkeypatch: pytest.MonkeyPatch, message: str, code: int) -> None:
    """Let every use of SQLite fail with an error code."""
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    monkeypatch.setattr(sqlite3, "connect", Mock(side_effect=error))


def test_a_file_is_read_once_until_it_changes(facts: FileFacts, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")

    first = facts.digests([file])[file]
    assert facts.known("digest", [file]) == {file: first}
    file.write_bytes(b"four")

    assert facts.known("digest", [file]) == {}
    assert facts.digests([file])[file] != first


@pytest.mark.parametrize("kind", ["digest", "audio"])
def test_a_file_that_is_exchanged_with_the_same_size_and_time_is_read_again(
    facts: FileFacts, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    first = facts.fill(kind, [file], file_digest)[file]

    exchange(file, b"two")

    assert facts.known(kind, [file]) == {}
    assert facts.fill(kind, [file], file_digest)[file] != first


def test_another_file_that_takes_the_place_of_the_first_is_read(
    facts: FileFacts, tmp_path: Path
) -> None:
    file, other = tmp_path / "weights.bin", tmp_path / "other.bin"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    time = file.stat().st_mtime_ns
    os.utime(other, ns=(time, time))
    first = facts.digests([file])[file]

    other.replace(file)

    assert facts.digests([file])[file] != first


def test_samples_of_a_checkpoint_are_compared_even_if_all_times_are_equal(
    facts: FileFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(1 << 20))
    stat = file.stat()
    first = facts.digests([file])[file]
    file.write_bytes(bytes(1 << 19) + b"\1" * (1 << 19))
    monkeypatch.setattr(Path, "stat", lambda _: stat)

    assert facts.digests([file])[file] != first


def test_verify_reads_every_file_once_more(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    FileFacts(tmp_path / "ledger.sqlite").digests([file])
    read: list[Path] = []

    def find(path: Path) -> str:
        read.append(path)
        return "fact"

    facts = FileFacts(tmp_path / "ledger.sqlite", verify=True)
    for _ in range(2):
        assert facts.fill("digest", [file], find) == {file: "fact"}

    assert read == [file]


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" * 99])
def test_a_damaged_database_is_set_aside_and_made_anew(
    facts: FileFacts, notes: list[str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(content)

    assert facts.fill("digest", [tmp_path / "ledger.sqlite"], lambda _: "fact")

    (note,) = notes
    assert "ledger.sqlite is damaged" in note
    assert len(list(tmp_path.glob("ledger.sqlite.damaged-*"))) == 1


def test_a_database_with_random_damage_never_tells_a_wrong_fact(
    tmp_path: Path, notes: list[str]
) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(8)]
    for file in files:
        file.write_bytes(file.name.encode())
    ledger = tmp_path / "ledger.sqlite"
    right = FileFacts(ledger).digests(files)
    whole = ledger.read_bytes()
    chance = random.Random(0)

    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 16])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        ledger.write_bytes(damaged)
        assert FileFacts(ledger, note=notes.append).digests(files) == right


def test_a_row_that_was_changed_by_hand_is_not_believed(
    facts: FileFacts, tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    facts.digests([file])
    with sqlite3.connect(facts.file) as database:
        database.execute("UPDATE facts SET fact = 'wrong'")
    database.close()

    assert facts.known("digest", [file]) == {}


def test_a_full_disk_is_no_damage(
    facts: FileFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, "database or disk is full", sqlite3.SQLITE_FULL)

    with pytest.raises(OSError, match="full") as caught:
        facts.known("digest", [tmp_path])

    assert caught.value.filename == str(facts.file)


def test_a_folder_that_cannot_be_written_is_enough_to_read_from(
    facts: FileFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    read_only = sqlite3.SQLITE_READONLY_DIRECTORY
    fails(monkeypatch, "attempt to write a readonly database", read_only)

    assert facts.digests([file]) == {file: file_digest(file)}
