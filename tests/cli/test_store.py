import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from nserbench.benchmark.store.feature_store import Features
from nserbench.benchmark.store.leases import lease

Command = Callable[..., Result]


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the store, to be changed."""
    return shutil.copytree(finished / "store", tmp_path / "store")


def files(store: Path, pattern: str) -> set[str]:
    return {file.name for file in store.glob(pattern)}


def test_ls_has_upstream_condition_and_counts(nserbench: Command, store: Path) -> None:
    rows = json.loads(nserbench("store ls --json").stdout)

    assert {(row["condition"], row["upstream"]) for row in rows} == {
        ("clean", "mel"),
        ("hiss@0", "mel"),
    }
    for row in rows:
        shards = list((store / "features" / row["digest"]).glob("*.safetensors"))
        assert (row["pooled"], row["frames"]) == (24, 24)
        assert row["bytes"] == sum(shard.stat().st_size for shard in shards)


def test_the_table_fits_and_ends_with_the_folder(
    nserbench: Command, store: Path
) -> None:
    lines = nserbench("store ls").stdout.splitlines()

    assert lines[0] == "features"
    header = " ".join(lines[1].split())
    assert header == "digest upstream condition pooled frames transcripts size"
    assert {tuple(line.split()[1:5]) for line in lines[3:5]} == {
        ("mel", "clean", "24", "24"),
        ("mel", "hiss@0", "24", "24"),
    }
    assert lines[-1].endswith(f" on disk, in {store}")


def test_the_total_counts_files_that_are_no_features(
    nserbench: Command, store: Path
) -> None:
    (store / "demo").mkdir()
    (store / "demo" / "a.wav").write_bytes(bytes(5_000_000))

    others, total = nserbench("store ls").stdout.splitlines()[-2:]

    assert re.fullmatch(r"other files, such as the demo corpus: 5\.\d MB", others)
    assert re.match(r"\d+\.\d MB on disk", total)


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ("--frames", {"features/*/frames-*"}),
        ("--heads", {"fits/*"}),
        ("--upstream mel", {"features/*/*"}),
        ("--frames --heads", {"features/*/frames-*", "fits/*"}),
        ("--all", {"features/*/*", "fits/*"}),
    ],
)
def test_prune_deletes_the_chosen_files_and_only_with_yes(
    nserbench: Command, store: Path, what: str, gone: set[str]
) -> None:
    before = files(store, "**/*")
    named = set().union(*(files(store, pattern) for pattern in gone))

    asked = nserbench(f"store prune {what}").stdout
    after_asking = files(store, "**/*")
    done = nserbench(f"store prune {what} --yes").stdout

    assert asked.endswith(": add --yes to delete them\n")
    assert done == f"deleted {asked.partition(': add')[0]}\n"
    assert after_asking == before
    assert files(store, "**/*") == before - named


def test_the_table_counts_frames_of_8_bits_where_there_are_some(
    nserbench: Command, store: Path
) -> None:
    folder = Path(min((store / "features").iterdir()))
    frames = np.zeros((1, 3, 2), np.float16)
    Features(folder, print).write("frames_int8", {"a": {"mel": frames}}, {})

    lines = nserbench("store ls").stdout.splitlines()
    rows = json.loads(nserbench("store ls --json").stdout)

    header = " ".join(lines[1].split())
    assert header == (
        "digest upstream condition pooled frames frames_int8 transcripts size"
    )
    assert sorted(row["frames_int8"] for row in rows) == [0, 1]


def test_prune_of_frames_deletes_those_in_8_bits_as_well(
    nserbench: Command, store: Path
) -> None:
    (folder, *_) = (store / "features").iterdir()
    coded = folder / "frames_int8-0.safetensors"
    coded.write_bytes(b"")

    nserbench("store prune --frames --yes")

    assert not coded.exists()
    assert files(store, "features/*/pooled-*")


def test_results_are_kept_and_deleted_features_are_extracted_again(
    nserbench: Command, finished: Path, store: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished / "results", tmp_path / "results")
    before = files(tmp_path, "results/**/*")
    shards = files(store, "features/*/pooled-*")
    grid = f"-u mel -d mean -c manifest:{finished}/notes.csv"

    nserbench("store prune --all --yes")
    after = files(tmp_path, "results/**/*")
    nserbench(f"run {grid} --epochs 1")
    idle = files(store, "features/*/pooled-*")
    nserbench(f"run {grid} --epochs 2")

    assert after == before
    assert idle == set()
    assert len(files(store, "features/*/pooled-*")) == len(shards) / 2


def test_an_upstream_that_is_not_in_the_store_gets_one_message(
    nserbench: Command, store: Path
) -> None:
    result = nserbench("store prune --upstream mle --yes")

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: unknown upstream 'mle'\n  did you mean 'mel'?"
    )


def test_a_store_that_does_not_exist_is_not_created(nserbench: Command) -> None:
    result = nserbench("store ls --store none")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no feature store in none\n")
    assert not Path("none").exists()


def test_what_a_running_command_uses_is_kept(nserbench: Command, store: Path) -> None:
    used, *others = sorted((store / "features").iterdir())

    with lease(store, [used]):
        result = nserbench("store prune --all --yes")

    assert list(used.glob("*.safetensors"))
    assert not [file for other in others for file in other.iterdir()]
    assert not list(store.glob("fits/*"))
    assert f"in use by a running command are kept ({socket.gethostname()}" in (
        result.stderr
    )


def test_prune_deletes_what_was_set_aside(nserbench: Command, store: Path) -> None:
    head = next(iter(store.glob("fits/*")))
    head.rename(f"{head}.damaged-12345678")

    nserbench("store prune --all --yes")

    assert not list(store.glob("fits/*"))
